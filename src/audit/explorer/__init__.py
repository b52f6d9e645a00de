"""results/explorer.html: every preset's forward pass in the browser, on real digits and on the visitor's own.

A page made of committed records and artifacts, here the weights of ``results/explorer``.
`explorer.html`, `explorer.css` and the scripts are put together by `assemble`. `network.js` is the forward pass and
`digit.js` the preparation of images, neither of which knows of a page; `picture.js` makes numbers pixels; the other
scripts are the page.
"""

"""results/explorer.html: forward passes in the browser, on digits, on photographs and on the visitor's own images.

A page made of committed records and weights: the networks of ``results/explorer`` see digits, a shipped model sees
photographs (`sets`). `assemble` puts `explorer.html`, `explorer.css` and the scripts together. `network.js` is the
preparation and the forward pass, `image.js` and `digit.js` fit the visitor's images in; none of them knows of a page.
`picture.js` turns numbers into pixels; the other scripts are the page.
"""

"""results/explorer.html: forward passes in the browser, on digits, on photographs and on the visitor's own images.

The page is generated from committed records and weights: the networks of ``results/explorer`` classify digits, and a
shipped model classifies photographs (`sets`). `assemble` combines `explorer.html`, `explorer.css` and the scripts.
`network.js` has preprocessing and the forward pass; `image.js` and `digit.js` prepare the visitor's images. None of
these depends on the page. `picture.js` turns numbers into pixels; the other scripts implement the page.
"""

"""Parts of `scripts/benchmark.py`; each is a function that adds rows to a `Bench`.

layer        contrast normalisation: ours, the definition, dense, compiled, Torch7's, a copy
memory       its memory between forward and backward, and the peak of a step
options      each option of contrast normalisation against the default, and against common implementations
window       windows of 9 to 301 pixels on an image of 2048
stage        the stages of the Caltech-101 network, and part by part
convolution  ways to compute the convolutions of that network
epoch        an epoch of fine-tuning that network
frozen       its features with frozen filters, and readouts on them
start        whole processes, from the command to the first step and to the end
overhead     Lightning's Trainer against a bare loop
"""

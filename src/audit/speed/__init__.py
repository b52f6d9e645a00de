"""What `scripts/benchmark.py` measures, a module or function a part; each measures what it compares in turns.

layer        contrast normalisation: ours, the definition, dense, compiled, Torch7's, a copy
memory       what it keeps between forward and backward, and the peak of a step
stage        the stages of the Caltech-101 network, and part by part
convolution  ways to do the convolutions of that network
epoch        an epoch of that network, refined
frozen       its features with frozen filters, and readouts on them
start        whole processes, from the command to the first step and to the end
overhead     Lightning's Trainer beside a bare loop
"""

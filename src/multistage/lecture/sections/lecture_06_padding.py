"""lecture-06: zero padding lets filters go over the border."""

import torch
from torch import Tensor

from multistage.lab.convolution_steps import uses
from multistage.layers import filter_bank
from multistage.lecture import drawing
from multistage.lecture.material import Material
from multistage.lecture.section import Measured, Picture, Section, mean_of

COUNT = 40
SIDE = 128
"""Of the photographs, pixels."""

TEXT = (
    "A filter of 9x9 that stays inside an image has no unit centred on the outermost four pixels: of the paper's "
    "images of 143x143 it makes maps of 135x135, {lost:.1f} fewer positions, and after {depth} such layers nothing "
    "would be left. A pixel in the corner bears on {corner_valid} unit of a map, one in the middle on {centre}. With "
    "four zeros around the image, sizes stay and the corner bears on {corner_padded}. Borders are not empty: in "
    "{images} photographs of Caltech-101, the outermost four pixels hold {frame_energy:.1f} of the variance on "
    "{frame_area:.1f} of the area. But zeros are data too. With the {filters} learned filters, units of that frame "
    "respond {photo_ratio:.2f} times as strongly as others if the photographs have a mean of zero, so that zeros are "
    "a middle gray, and {gray_ratio:.2f} times if zeros are a black frame. On {digits} digits of MNIST, whose "
    "background after standardisation is not zero, units of a trained network's first stage respond "
    "{digit_padded:.2f} times as strongly in the outermost two positions as elsewhere; without padding, "
    "{digit_valid:.2f} times. The paper pads nothing, and neither do we: `filter_bank.padding=0`."
)


def section(material: Material) -> Section:
    """Count, then measure what padding does to responses."""
    kernels = material.filters("caltech101", "psd", False).after
    radius = kernels.shape[-1] // 2
    photographs = material.photographs(COUNT, SIDE) / 255
    centred = (photographs - photographs.mean((2, 3), keepdim=True)) / photographs.std((2, 3), keepdim=True)
    digits = material.images("mnist", COUNT)
    trained = material.trained("abs_lcn_avgpool").filter_banks[0].kernels[:, 0]
    reach = trained.shape[-1] // 2
    inside = 143 - 2 * radius
    frame = _frame(SIDE, radius)
    return Section(
        claim="lecture-06",
        title="Zero padding lets filters go over the border",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "photographs"),
            "digits": Measured(COUNT, "digits"),
            "filters": Measured(len(kernels), "learned filters"),
            "lost": Measured(100 * (1 - (inside / 143) ** 2), "positions of 143x143 without a unit of 9x9", "%"),
            "depth": Measured((143 - 1) // (2 * radius), "layers of 9x9 without padding that 143x143 has room for"),
            "corner_valid": Measured(int(uses(143, 9)[0, 0]), "units that a corner pixel bears on, no padding"),
            "corner_padded": Measured(int(uses(143, 9, radius)[0, 0]), "units that a corner pixel bears on, padded"),
            "centre": Measured(int(uses(143, 9)[71, 71]), "units that a pixel in the middle bears on"),
            "frame_energy": mean_of(
                (100 * centred.square()[..., frame].mean((1, 2)) * frame.double().mean()).tolist(),
                "variance of photographs in the outermost four pixels",
                "%",
            ),
            "frame_area": Measured(100 * float(frame.double().mean()), "area of the outermost four pixels", "%"),
            "photo_ratio": _ratio(centred, kernels, radius, radius, "photographs of mean 0, padded"),
            "gray_ratio": _ratio(photographs, kernels, radius, radius, "photographs from black to white, padded"),
            "digit_padded": _ratio(digits, trained, reach, reach, "digits, trained filters, padded"),
            "digit_valid": _ratio(digits, trained, 0, reach, "digits, trained filters, no padding"),
        },
        pictures=[_uses_picture(radius), _response_picture(digits[:1], trained, reach)],
    )


def _frame(side: int, width: int) -> Tensor:
    """Which positions [side, side] are among the outermost `width`."""
    frame = torch.ones(side, side, dtype=torch.bool)
    frame[width:-width, width:-width] = False
    return frame


def _response(x: Tensor, kernels: Tensor, padding: int) -> Tensor:
    """Mean absolute response over maps, [n, height, width]."""
    return filter_bank(x, kernels[:, None], padding=padding).abs().mean(1)


def _ratio(x: Tensor, kernels: Tensor, padding: int, width: int, of: str) -> Measured:
    response = _response(x, kernels, padding)
    frame = _frame(response.shape[-1], width)
    ratios = response[:, frame].mean(1) / response[:, ~frame].mean(1)
    return mean_of(ratios.tolist(), f"response of the outermost {width} positions over that of the others: {of}")


def _uses_picture(radius: int) -> Picture:
    side = 24
    with drawing.figure(1, 2, 2.4) as (drawn, axes):
        for ax, padding, title in ((axes[0, 0], 0, "no padding"), (axes[0, 1], radius, "four zeros around")):
            found = uses(side, 2 * radius + 1, padding)
            image = ax.imshow(found, cmap="viridis", vmin=1, vmax=(2 * radius + 1) ** 2)
            ax.set_title(title)
            ax.set_axis_off()
        drawn.colorbar(image, ax=axes, shrink=0.85, ticks=[1, 25, 50, 81], label="units")
        caption = "How many units of a 9x9 filter each pixel of an image of 24x24 bears on."
        return Picture("lecture-06-uses", drawing.png(drawn), caption)


def _response_picture(digit: Tensor, kernels: Tensor, reach: int) -> Picture:
    valid, padded = (_response(digit, kernels, padding)[0] for padding in (0, reach))
    limit = float(padded.max())
    with drawing.figure(1, 3, 1.9) as (drawn, axes):
        drawing.gray(axes[0, 0], digit[0, 0], "digit")
        drawing.gray(axes[0, 1], valid, "no padding", limit, 0)
        drawing.gray(axes[0, 2], padded, "zeros around", limit, 0)
        return Picture(
            "lecture-06-response",
            drawing.png(drawn),
            "Mean absolute response of the trained first-stage filters to a digit: zeros around a background that is "
            "not zero look like an edge.",
        )

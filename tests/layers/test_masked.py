import numpy as np
import pytest

from tfvae.layers import masked


def test_the_own_pixel_is_seen_by_later_channels_alone():
    first, above = (masked.mask(3, 3, 6, kind, num_groups=3)[1, 1] for kind in masked.KINDS)
    channel_in, channel_out = np.arange(3)[:, None], np.repeat(np.arange(3), 2)[None]
    np.testing.assert_array_equal(first, channel_in < channel_out)
    np.testing.assert_array_equal(above, channel_in <= channel_out)


def test_what_comes_later_is_masked():
    seen = masked.mask(3, 1, 1, "B")[..., 0, 0]
    np.testing.assert_array_equal(seen, [[1, 1, 1], [1, 1, 0], [0, 0, 0]])


def test_an_even_kernel_has_no_centre():
    with pytest.raises(ValueError, match="odd side"):
        masked.mask(4, 1, 1, "A")

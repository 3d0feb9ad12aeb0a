"""Tensors as JSON values, for processes that share no library but Python's own."""

import base64

STRING = 7  # DT_STRING of tensorflow/core/framework/types.proto


def pack(array, dtype):
    """A tensor as JSON values.

    Args:
        array: NumPy array; of `bytes` objects for strings.
        dtype: its DataType number.

    Returns:
        {"dtype", "shape", "data"}; `data` is base64, a list of it for strings.
    """
    if dtype == STRING:
        data: str | list[str] = [base64.b64encode(item).decode("ascii") for item in array.reshape(-1).tolist()]
    else:
        data = base64.b64encode(array.tobytes()).decode("ascii")
    return {"dtype": int(dtype), "shape": [int(n) for n in array.shape], "data": data}


def payload(tensor):
    """The bytes of a packed tensor, a list of them for strings."""
    if tensor["dtype"] == STRING:
        return [base64.b64decode(item) for item in tensor["data"]]
    return base64.b64decode(tensor["data"])

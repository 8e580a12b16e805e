"""Reading tensors out of PyTorch's older archives (.pth of before version 1.6), without pickle.

To load a pickle is to run whatever it names. None is loaded here: `pickletools`, which only
disassembles, gives the instructions, and the few that a dictionary of tensors is written with
are followed by hand. Three names mean something (`collections.OrderedDict`, the tensors'
rebuilder, storages of numbers); any other is refused. PyTorch itself is not needed.

The archive (torch/serialization.py, `_legacy_save`): five pickles, namely a magic number, a
version, the machine's byte order, the dictionary, and the storages' keys; then each storage, the
number of its elements as int64 and the elements.
"""

import io
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError

Tensors = dict[str, npt.NDArray[np.generic]]

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
# A dictionary of 400 tensors takes 14,000 of them.
MOST_INSTRUCTIONS = 1_000_000

_STORAGES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
}
_DICTIONARY = "collections OrderedDict"
_REBUILDER = "torch._utils _rebuild_tensor_v2"
_MARK = object()


@dataclass(frozen=True)
class _Name:
    """A name that may stand in an archive, as itself: nothing is imported."""

    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    elements: int


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage; offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _RefusedError(Exception):
    """Something in the archive that is no tensor; the text names it."""


def read_tensors(content: bytes, where: str) -> Tensors:
    """The tensors of an archive by their names; `where` begins an error's line.

    They are views of `content`, with whatever strides they were saved with.

    Raises:
        PipelineError: not such an archive, cut short, or holding something
            other than tensors, which the line names.
    """
    try:
        return _read(io.BytesIO(content), len(content))
    except _RefusedError as error:
        raise PipelineError(f"{where}: holds {error}; only tensors are read") from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PipelineError(
            f"{where}: not an archive of PyTorch before 1.6, or cut short ({reason})"
        ) from None


def _read(file: BinaryIO, size: int) -> Tensors:
    if _value(file) != MAGIC or _value(file) != VERSION:
        raise ValueError("another first number")
    if _value(file).get("little_endian") is not True:
        raise ValueError("not of a little-endian machine")
    tensors, keys = _value(file), _value(file)
    if not isinstance(tensors, dict):
        raise _RefusedError("no dictionary of tensors")
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor):
            raise _RefusedError(f"{name[:80]}, which is no tensor")
    storages = {each.storage.key: each.storage for each in tensors.values()}
    if not isinstance(keys, list) or set(storages) != {str(key) for key in keys}:
        raise ValueError("other storages than the tensors name")
    numbers = {key: _numbers(file, storages[key], size) for key in keys}
    return {name: _array(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _numbers(file: BinaryIO, storage: _Storage, size: int) -> npt.NDArray[np.generic]:
    """The next storage of the file."""
    (elements,) = struct.unpack("<q", file.read(8).ljust(8, b"\xff"))
    length = storage.elements * np.dtype(storage.dtype).itemsize
    if elements != storage.elements or not 0 <= length <= size - file.tell():
        raise ValueError(f"storage {storage.key[:40]} is not whole")
    return np.frombuffer(file.read(length), storage.dtype)


def _array(tensor: _Tensor, numbers: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The tensor as a read-only view: its bytes are in the file once, and so in the memory."""
    last = tensor.offset + sum(
        (length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if min(tensor.offset, *tensor.shape, *tensor.strides, 0) < 0 or (
        0 not in tensor.shape and last >= len(numbers)
    ):
        raise ValueError("a tensor reaches beyond its storage")
    if np.prod(tensor.shape, dtype=object) > len(numbers):
        raise ValueError("a tensor has more numbers than its storage")
    return np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :],
        tensor.shape,
        [stride * numbers.itemsize for stride in tensor.strides],
        writeable=False,
    )


def _value(file: BinaryIO) -> Any:
    """The value of the next pickle in the file, of numbers, texts, tuples, lists and dictionaries,
    and of the three names that are known."""
    machine = _Machine()
    for count, (found, argument, _) in enumerate(pickletools.genops(file)):
        operation = found.name
        if count > MOST_INSTRUCTIONS:
            raise _RefusedError(f"more than {MOST_INSTRUCTIONS:,} instructions")
        if operation == "STOP":
            return machine.stack.pop()
        if operation in _PUSHED:
            machine.stack.append(_PUSHED[operation](argument))
        elif operation in _DONE:
            _DONE[operation](machine, argument)
        elif operation != "PROTO":
            raise _RefusedError(f"the instruction {operation}")
    raise ValueError("no end")


@dataclass
class _Machine:
    """The stack and the memory that a pickle's instructions work on."""

    stack: list[Any] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        found: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            found.append(value)
        return found[::-1]


def _last(machine: _Machine, count: int) -> list[Any]:
    return [machine.stack.pop() for _ in range(count)][::-1]


def _put(machine: _Machine, place: int) -> None:
    machine.memory[place] = machine.stack[-1]


def _set(machine: _Machine, items: list[Any]) -> None:
    if {type(key) for key in items[::2]} != {str}:
        raise TypeError("a key that is no text")
    machine.stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _append(machine: _Machine, items: list[Any]) -> None:
    if not isinstance(machine.stack[-1], list):
        raise TypeError("items for something that is no list")
    machine.stack[-1].extend(items)


def _name(machine: _Machine, name: str) -> None:
    if name not in (_DICTIONARY, _REBUILDER, *_STORAGES):
        raise _RefusedError(name.replace(" ", ".", 1)[:100])
    machine.stack.append(_Name(name))


def _reduce(machine: _Machine, _: Any) -> None:
    """A call: of the dictionary, empty, or of the tensors' rebuilder."""
    function, arguments = _last(machine, 2)
    if function == _Name(_DICTIONARY) and arguments == ():
        machine.stack.append({})
    elif function == _Name(_REBUILDER):
        storage, offset, shape, strides, *_rest = arguments
        numbers = (offset, *shape, *strides)
        if not isinstance(storage, _Storage) or {type(each) for each in numbers} != {int}:
            raise TypeError("a tensor of something else")
        machine.stack.append(_Tensor(storage, offset, tuple(shape), tuple(strides)))
    else:
        raise _RefusedError(f"a call of {getattr(function, 'name', 'something')}")


def _storage(machine: _Machine, _: Any) -> None:
    """("storage", its kind, its key, where it was, its elements, None)."""
    match machine.stack.pop():
        case ("storage", _Name(kind), str(key), str(), int(elements), None) if kind in _STORAGES:
            machine.stack.append(_Storage(key, _STORAGES[kind], elements))
        case _:
            raise _RefusedError("another reference than to a storage")


_PUSHED: dict[str, Callable[[Any], Any]] = {
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"), lambda given: given),
}
_DONE: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(_last(machine, 1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(_last(machine, 2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(_last(machine, 3))),
    "SETITEM": lambda machine, _: _set(machine, _last(machine, 2)),
    "SETITEMS": lambda machine, _: _set(machine, machine.marked()),
    "APPEND": lambda machine, _: _append(machine, _last(machine, 1)),
    "APPENDS": lambda machine, _: _append(machine, machine.marked()),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": lambda machine, place: machine.stack.append(machine.memory[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memory[place]),
    "BUILD": lambda machine, _: (
        machine.stack.pop()
    ),  # attributes of a dictionary: PyTorch's versions
    "GLOBAL": _name,
    "REDUCE": _reduce,
    "BINPERSID": _storage,
}

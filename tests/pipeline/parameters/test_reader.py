"""params.yaml: what is refused, in which words, and what is accepted."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.parameters.reader import read_parameters
from tests import support
from tests.support import REPOSITORY, set_parameters

DEFAULT = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")


def refusal(text: str | bytes) -> str:
    """The one line with which the stage refuses a params.yaml of this content."""
    Path("params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return support.refusal("params")


def changed(key: str, value: str) -> str:
    """The default params.yaml with one value written another way."""
    lines = [
        f"{key}: {value}" if line.split(":")[0] == key else line for line in DEFAULT.splitlines()
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.usefixtures("workspace")
class TestRefused:
    @pytest.mark.parametrize(
        ("key", "value", "line"),
        [
            ("epochs", "abc", "expected a whole number, not 'abc'"),
            ("epochs", "1.5", "expected a whole number, not 1.5"),
            ("epochs", "true", "expected a whole number, not True"),
            ("epochs", "-3", "input should be greater than or equal to 1, not -3"),
            ("epochs", "[1, 2]", "expected a whole number, not [1, 2]"),
            ("epochs", "10000000", "input should be less than or equal to 100000, not 10000000"),
            ("learning_rate", ".nan", "expected a finite number, not nan"),
            ("learning_rate", ".inf", "expected a finite number, not inf"),
            ("learning_rate", "0", "input should be greater than 0, not 0"),
            ("dropout", "1", "expected a number from 0 to below 1, or a list, not 1"),
            ("dropout", "abc", "expected a number from 0 to below 1, or a list, not 'abc'"),
            ("dropout", "[0.1, x]", "expected a number from 0 to below 1, or a list, not [0.1, 'x']"),
            ("dropout", "[]", "expected a number from 0 to below 1, or a list, not []"),
            ("dropout", ".nan", "expected a number from 0 to below 1, or a list, not nan"),
            ("validation_fraction", "1", "input should be less than 1, not 1"),
            ("validation_fraction", "-0.1", "input should be greater than or equal to 0, not -0.1"),
            ("test_fraction", "0", "input should be greater than 0, not 0"),
            ("activation", "rellu", "input should be 'relu', 'sigmoid', 'tanh', 'leaky_relu', "
             "'elu', 'gelu', 'quick_gelu' or 'maxout', not 'rellu'"),
            ("augmentation", "affin", "affin: unknown; did you mean affine?"),
            ("augmentation", "affine+affine", "affine stands twice; keep one of the two"),
            ("dtype", "float16", "input should be 'float32', 'mixed_bfloat16' or 'mixed_float16', "
             "not 'float16'"),
            ("optimizer", "7", "input should be 'adam', 'rmsprop', 'sgd' or 'muon', not 7"),
            ("seed", "-1", "input should be greater than or equal to 0, not -1"),
            ("deterministic", "1", "input should be a valid boolean, not 1"),
            ("channels", "2", "input should be 1 or 3, not 2"),
            *(
                ("image_size", given, f"expected pixels a side, 1 to 1024, or [height, width], not {shown}")
                for given, shown in (
                    ("0", "0"), ("1025", "1025"), ("true", "True"), ("32.0", "32.0"), ("a", "'a'"),
                    ("[32]", "[32]"), ("[32, 0]", "[32, 0]"), ("[1, 2, 3]", "[1, 2, 3]"),
                    ("[1, true]", "[1, True]"), ("[]", "[]"),
                )
            ),
            ("resize", "squash", "input should be 'stretch', 'crop' or 'pad', not 'squash'"),
            ("dataset", "5", "input should be a valid string, not 5"),
            ("threads", "null", "expected a whole number, not None"),
        ],
    )  # fmt: skip
    def test_a_value(self, key, value, line):
        assert refusal(changed(key, value)) == f"params.yaml: {key}: {line}"

    def test_mixed_float16_with_the_reason_where_there_is_no_gpu(self, monkeypatch):
        monkeypatch.setattr("pipeline.backend.DRIVERS", ("/no/such/driver",))
        assert refusal(changed("dtype", "mixed_float16")) == (
            "params.yaml: dtype: mixed_float16 has no fast kernels on a CPU, and there is no "
            "driver of an NVIDIA GPU here; use mixed_bfloat16"
        )

    def test_an_unknown_key_with_the_nearest(self):
        assert refusal(DEFAULT.replace("dropout:", "dropuot:")) == (
            "params.yaml: dropuot: unknown parameter; did you mean dropout?"
        )

    def test_an_unknown_key_far_from_all(self):
        assert refusal(DEFAULT + "zzz: 1\n").startswith(
            "params.yaml: zzz: unknown parameter; known: dataset, image_size, channels"
        )

    def test_a_key_that_is_not_there(self):
        text = "\n".join(line for line in DEFAULT.splitlines() if not line.startswith("seed:"))
        assert refusal(text) == "params.yaml: seed: missing; null stands for 'as published'"

    def test_a_key_that_stands_twice(self):
        line = len(DEFAULT.splitlines()) + 1
        assert refusal(DEFAULT + "epochs: 3\n") == (
            f"params.yaml: line {line}: a key stands twice; keep one of the two"
        )

    def test_an_empty_file(self):
        assert refusal("# nothing\n") == (
            "params.yaml: empty; `git checkout params.yaml` brings it back"
        )

    def test_a_list_in_place_of_keys(self):
        assert refusal("- epochs\n") == (
            "params.yaml: expected `name: value` lines, not ['epochs']"
        )

    def test_tabs(self):
        assert refusal("epochs:\n\t- 3\n") == (
            "params.yaml: line 2: not YAML: found character '\\t' that cannot start any token"
        )

    def test_another_encoding(self):
        assert refusal("dataset: Größe\n".encode("latin-1")) == (
            "params.yaml: not UTF-8 (byte 11); save the file as UTF-8"
        )

    def test_an_unclosed_list(self):
        assert refusal(changed("dropout", "[0.1, 0.2")).startswith("params.yaml: line ")

    def test_a_python_object(self):
        message = refusal(changed("dataset", "!!python/object/apply:os.system ['true']"))
        assert "not YAML" in message

    def test_no_file(self):
        Path("params.yaml").unlink()
        line = support.refusal("params")
        assert line.startswith(f"params.yaml: not found in {Path.cwd()}")


@pytest.mark.usefixtures("workspace")
class TestAccepted:
    def test_the_default(self):
        parameters = read_parameters(Path("params.yaml"))
        assert (parameters.dataset, parameters.model) == ("mnist_5k", "two_block_cnn")
        assert parameters.dropout is None

    def test_a_float_as_dvc_writes_it(self):
        Path("params.yaml").write_text(changed("learning_rate", "1e-05"))
        assert read_parameters(Path("params.yaml")).learning_rate == 1e-5

    def test_a_whole_number_where_a_number_belongs(self):
        set_parameters(learning_rate=1, dropout=0)
        parameters = read_parameters(Path("params.yaml"))
        assert (parameters.learning_rate, parameters.dropout) == (1.0, 0)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [("true", "affine"), ("false", "none"), ("affine", "affine"), ("none", "none"),
         ("translate", "translate"), ("null", None)],
    )  # fmt: skip
    def test_augmentation_by_its_name_or_alias(self, value, meant):
        Path("params.yaml").write_text(changed("augmentation", value))
        assert read_parameters(Path("params.yaml")).augmentation == meant

    def test_mixed_float16_where_there_is_a_gpu(self, monkeypatch, tmp_path):
        monkeypatch.setattr("pipeline.backend.DRIVERS", (str(tmp_path),))
        set_parameters(dtype="mixed_float16")
        assert read_parameters(Path("params.yaml")).dtype == "mixed_float16"

    def test_a_byte_order_mark(self):
        Path("params.yaml").write_bytes(b"\xef\xbb\xbf" + DEFAULT.encode())
        assert read_parameters(Path("params.yaml")).seed == 42

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        key=st.sampled_from(list(YAML(typ="safe").load(DEFAULT))),
        value=st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=8),
            st.lists(st.floats(), max_size=3),
            st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        ),
    )
    def test_any_value_is_read_or_refused_in_one_line(self, key, value):
        set_parameters(**{key: value})
        message = ""
        if key == "augmentation" and isinstance(value, bool):
            value = "affine" if value else "none"
        try:
            assert getattr(read_parameters(Path("params.yaml")), key) == value
        except PipelineError as error:
            message = str(error)
        finally:
            Path("params.yaml").write_text(DEFAULT, encoding="utf-8")
        assert "\n" not in message
        assert message.startswith("params.yaml: ") or not message

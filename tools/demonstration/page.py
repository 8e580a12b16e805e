"""The page: a picture in, what each model says of it out."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from pipeline.datasets.decode import UnreadableError
from tools.demonstration.models import Model

TOP = 5
# Gradio's own face is from Google; these are on the machine.
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONOSPACE = ("ui-monospace", "Consolas", "monospace")
STYLE = """
.gradio-container { max-width: 70rem !important; margin: 0 auto; }
#examples .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)) !important; padding-top: 1.6rem;
}
#examples .thumbnail-item img { image-rendering: pixelated; }
#examples .caption-label { max-width: 100%; }
.seen img { padding-top: 1.6rem; }
button:focus-visible, a:focus-visible, input:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--color-accent) !important; outline-offset: 2px;
}
"""
_BESIDE = threading.Lock()  # one picture at a time: a model takes all processors


def theme() -> Any:
    return gr.themes.Default(font=FONTS, font_mono=MONOSPACE)


def build(models: Sequence[Model], examples: Sequence[tuple[str, str]]) -> Any:
    """The page as gradio's Blocks."""
    titles = " and ".join(model.title for model in models)
    who = f"{titles} says" if len(models) == 1 else f"{len(models)} models say"
    with gr.Blocks(title=f"What is it? {titles}", analytics_enabled=False) as page:
        gr.Markdown(
            f"# What is it?\n\nDrop a photograph, paste one, or use the camera: {who} what it "
            f"is, out of {_named(models[0].classes)}. Nothing leaves this machine."
        )
        with gr.Row(equal_height=False):
            with gr.Column(min_width=280):
                photo = gr.Image(
                    label="Photograph",
                    sources=["upload", "clipboard", "webcam"],
                    type="filepath",
                    image_mode=None,
                    height=320,
                    elem_id="photo",
                    buttons=["fullscreen"],
                )
                # The file as it came: the model's own reading follows the training's.
                photo.preprocess = _as_it_came  # type: ignore[method-assign]
                said = gr.Markdown("", elem_id="said")
            outputs = [_answer(model, number) for number, model in enumerate(models)]
        if examples:
            _offer(examples, photo)
        flat = [part for pair in outputs for part in pair]
        photo.change(
            lambda path: _say(models, path), photo, [said, *flat],
            api_name="classify", show_progress="minimal",
        )  # fmt: skip
    return page


def _as_it_came(payload: Any) -> str | None:
    return payload.path if payload else None


def _answer(model: Model, number: int) -> tuple[Any, Any]:
    with gr.Column(min_width=280):
        gr.Markdown(f"**{model.title}**")
        label = gr.Label(
            label=model.title, num_top_classes=TOP, show_label=False, elem_id=f"answer-{number}"
        )
        heated = gr.Image(
            label="Grad-CAM: red spoke for it most",
            alt_text=f"Grad-CAM of {model.title} over the picture as the model sees it",
            interactive=False,
            height=320,
            buttons=["fullscreen"],
            elem_id=f"heat-{number}",
            elem_classes="seen",
        )
    return label, heated


def _offer(examples: Sequence[tuple[str, str]], photo: Any) -> None:
    gallery = gr.Gallery(
        [*examples],
        label="Test images",
        columns=6,
        height="auto",
        allow_preview=False,
        object_fit="contain",
        format="png",
        buttons=[],
        interactive=False,
        elem_id="examples",
    )

    def pick(event: gr.SelectData) -> str:
        return examples[event.index][0]

    gallery.select(pick, None, photo, show_progress="hidden", api_visibility="private")


def _say(models: Sequence[Model], path: str | None) -> list[Any]:
    """What is shown for a picture: a line, then probabilities and heat of each model."""
    nothing = [None, None] * len(models)
    if path is None:
        return ["", *nothing]
    try:
        with _BESIDE:
            found = [model.say(Path(path)) for model in models]
    except UnreadableError as error:
        return [f"This cannot be read: {error}.", *nothing]
    best = [max(one.probabilities, key=lambda name: one.probabilities[name]) for one in found]
    agreed = "" if len(models) == 1 else " They agree." if len(set(best)) == 1 else " They differ."
    shown = [part for one in found for part in (one.probabilities, one.heated)]
    lines = [
        f"{name}, {one.probabilities[name]:.1%}{' (unlike the training images)' * one.unlike}"
        for name, one in zip(best, found, strict=True)
    ]
    return [f"**{'; '.join(lines)}.**{agreed}", *shown]


def _named(classes: Sequence[str]) -> str:
    if len(classes) > 12:
        return f"{len(classes)} classes"
    return ", ".join(classes[:-1]) + f" and {classes[-1]}"

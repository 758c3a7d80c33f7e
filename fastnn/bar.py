"""The bar of a training: `epoch 8/20:  40%|####      | cost=0.123 val_score=0.981 ETA 00:03`."""

from __future__ import annotations

from typing import Any


class Bar:
    """A bar over so many epochs, on standard error; in a notebook a widget. `first` are done already."""

    def __init__(self, epochs: int, first: int = 0) -> None:
        # tqdm starts a thread even for a bar that is not shown: a fork's hazard. So only who asks imports it.
        from tqdm.auto import tqdm

        self._epochs = epochs
        self._bar: Any = tqdm(total=epochs, initial=first)
        self.show(first)

    def show(self, done: float, **numbers: float) -> None:
        """Epochs that are done, parts of one too, and what is known of the newest."""
        epoch = min(int(done) + 1, self._epochs)
        texts = [f"{name}={number:.4g}" for name, number in numbers.items()]
        layout = ["{percentage:3.0f}%|{bar}|", *texts, "ETA {remaining}"]
        self._bar.bar_format = f"epoch {epoch}/{self._epochs}: " + " ".join(layout)
        self._bar.update(done - self._bar.n)  # it draws no more often than ten times a second

    def close(self) -> None:
        self._bar.refresh()
        self._bar.close()

"""How long a training is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Steps of a training, counted in epochs.

    Attributes:
        batch_size: images in a step, for the speed that is shown.
        steps_per_epoch: steps after which figures, samples and a checkpoint are written.
        epochs: int.
    """

    batch_size: int
    steps_per_epoch: int
    epochs: int

    @classmethod
    def over(
        cls, count: int, batch_size: int, steps_per_epoch: int | None, epochs: int
    ) -> "Schedule":
        """Epochs of `steps_per_epoch`, by default each shows `count` items once."""
        return cls(batch_size, steps_per_epoch or -(-count // batch_size), epochs)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

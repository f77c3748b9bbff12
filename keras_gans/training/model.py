"""What all models with several optimizers share: compiling, figures, evaluation, files."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops
from keras.saving import deserialize_keras_object, serialize_keras_object

from keras_gans import replicas
from keras_gans.training.precision import ready

KERAS_OWN = "loss", "loss_weights", "metrics", "weighted_metrics"


class StepModel(keras.Model, ABC):
    """Networks that are trained by one to three optimizers, with losses of their own.

    All of a batch counts alike: there are no sample weights and no class weights.

    A subclass keeps each argument of `__init__` as the attribute of the same name, and defines

    - `trained`: a dict from the name of an optimizer to the networks that it trains;
    - `step(batch, training)`: the figures of a batch, scalars in the order of `METRICS`. If
      `training`, it updates by `minimize`; else it changes nothing: `evaluate` and
      `validation_data` then give the same losses, of the networks as they are used;
    - `images_in(batch)`, by default none: what images must be like, and all of a batch.

    `evaluate` draws the same random numbers for every batch, and leaves those of the training
    alone. Files of `save`, and `load_model`, hold all that training goes on from: networks,
    optimizers, moving averages, random seeds and settings.
    """

    METRICS = ()

    def __init__(self, metrics: Sequence[str] | None = None, **kwargs):
        super().__init__(**kwargs)
        names = self.METRICS if metrics is None else metrics
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        self.built = True  # the networks are

    def compile(
        self,
        g_optimizer: keras.Optimizer,
        d_optimizer: keras.Optimizer | None = None,
        c_optimizer: keras.Optimizer | None = None,
        **kwargs,
    ) -> None:
        """Takes the optimizers that `trained` names, and options of `keras.Model.compile`.

        All but loss and metrics, of which the model has its own.

        Optimizers of networks that compute in float16 become a `LossScaleOptimizer`.

        Raises:
            ValueError: an optimizer is missing, or two are one; a loss or metrics.
        """
        refused = [name for name in KERAS_OWN if kwargs.get(name)]
        if refused:
            raise ValueError(
                "`compile` needs no loss and no metrics: the model has its own. "
                f"Received: {', '.join(refused)}"
            )
        super().compile(optimizer=None, **kwargs)
        given = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
        given["c_optimizer"] = c_optimizer
        own = [given[name] for name in self.trained if not isinstance(given[name], str)]
        if len({*map(id, own)}) < len(own) and None not in own:
            raise ValueError("each network needs an optimizer of its own. Received: one twice")
        for name, networks in self.trained.items():
            if given[name] is None:
                raise ValueError(
                    f"`compile` needs {', '.join(self.trained)}. Received: no {name}"
                )
            setattr(self, name, ready(given[name], networks))

    def fit(self, *args, **kwargs) -> keras.callbacks.History:
        """As Keras': in the end an optimizer with `use_ema` leaves its averages."""
        history = super().fit(*args, **kwargs)
        for name, optimizer in self.optimizers.items():
            optimizer.finalize_variable_values(self._variables_of(name))
        return history

    @property
    @abstractmethod
    def trained(self) -> dict[str, list[keras.Model]]: ...

    @abstractmethod
    def step(self, batch, training: bool) -> Sequence[tf.Tensor]: ...

    def images_in(self, batch) -> tuple[keras.KerasTensor | None, Sequence[tf.Tensor]]:
        """The input or output that images must be like, if it is known, and the images."""
        return None, ()

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """By the names that checkpoints give them."""
        return {name: getattr(self, name) for name in self.trained}

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, batch):
        self._check(batch)
        return self._shown(self.step(batch, True), batch)

    def test_step(self, batch):
        self._check(batch)
        states = [(state, tf.identity(state.value)) for state in self._seed_states]
        figures = self.step(batch, False)
        for state, before in states:
            state.assign(before)
        return self._shown(figures, batch)

    def minimize(self, name: str, loss: tf.Tensor, tape: tf.GradientTape) -> None:
        """One update of the networks of an optimizer; of a replica, by the mean over replicas.

        Args:
            name: of the optimizer.
            loss: scalar that was recorded.
            tape: that recorded it.
        """
        optimizer = getattr(self, name)
        variables = self._variables_of(name)
        with tape:  # goes on recording
            loss = optimizer.scale_loss(loss)
        gradients = replicas.mean_gradients(tape.gradient(loss, variables))
        optimizer.apply(gradients, variables)

    def share(self, batch, number: int, of: int):
        """The part of a global batch that replica `number` of `of` has."""
        return tf.nest.map_structure(lambda values: tf.split(values, of)[number], batch)

    def phase(self) -> int:
        """Number of the kind of step that comes next, where there are several."""
        return 0

    def _variables_of(self, name):
        return [v for network in self.trained[name] for v in network.trainable_variables]

    def _check(self, batch):
        """Finds what would be ignored, or cast (raises `ValueError`)."""
        # `train_on_batch` adds weights that are `None`
        if isinstance(batch, (tuple, list)) and any(part is not None for part in batch[2:]):
            raise ValueError(
                "a batch has two parts at most: there are no sample weights and no class "
                f"weights. Received: {len(batch)}"
            )
        like, images = self.images_in(batch)
        shape = tf.TensorShape(like.shape if like is not None else None)[-3:]
        for each in images:
            dtype, found = tf.as_dtype(each.dtype), tf.TensorShape(each.shape)
            if not (dtype.is_floating and found[-3:].is_compatible_with(shape)):
                raise ValueError(
                    f"images must be float, each of {shape}, in [-1, 1]. "
                    f"Received: {dtype.name} {found}"
                )

    def _shown(self, figures, batch):
        """The means so far, in which a batch counts as much as it has of the first array."""
        if replicas.several():
            figures = [tf.cast(figure, "float32") for figure in figures]
            figures = tf.unstack(replicas.mean(tf.stack(figures)))
        count = ops.shape(tf.nest.flatten(batch)[0])[0]
        for tracker, value in zip(self.trackers, figures, strict=True):
            tracker.update_state(value, sample_weight=count)
        return {metric.name: metric.result() for metric in self.metrics}

    # Files ----------------------------------------------------------------------------------

    def get_config(self) -> dict:
        names = [
            name
            for cls in type(self).__mro__
            if issubclass(cls, StepModel) and cls is not StepModel and "__init__" in vars(cls)
            for name, parameter in inspect.signature(cls.__init__).parameters.items()
            if name != "self"
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]
        return super().get_config() | {
            name: serialize_keras_object(getattr(self, name)) for name in names
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "StepModel":
        return cls(
            **{
                name: deserialize_keras_object(value, custom_objects)
                for name, value in config.items()
            }
        )

    def get_compile_config(self) -> dict:
        config = super().get_compile_config()
        if config:
            config |= {k: serialize_keras_object(v) for k, v in self.optimizers.items()}
            del config["optimizer"]
        return config

    def compile_from_config(self, config: dict) -> None:
        self.compile(**deserialize_keras_object(config))

    @property
    def _seed_states(self):
        """Of all random layers; Keras counts them among `variables`, not among `weights`."""
        return [v for v in self.variables if v.path.endswith("seed_generator_state")]

    def save_own_variables(self, store) -> None:
        for number, state in enumerate(self._seed_states):
            store[f"seed_{number}"] = state

    def load_own_variables(self, store) -> None:
        for number, state in enumerate(self._seed_states):
            state.assign(store[f"seed_{number}"])


def input_of(network: keras.Model) -> keras.KerasTensor | None:
    """The first input; `None` of a network that is called on anything."""
    return getattr(network, "inputs", [None])[0]

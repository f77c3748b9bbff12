"""One training on several devices or machines: each replica has a share of the global batch.

What computes follows from the environment: workers on several machines (`TF_CONFIG`, or Slurm),
several GPUs of this one, or, to try it out, several replicas on its CPU (`--replicas`). The
strategies of `tf.distribute` run the replicas and reduce over them; see docs/scale.md.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import keras
import numpy as np
import tensorflow as tf

from keras_gans import replicas
from keras_gans.data.on_disk import sha256
from keras_gans.data.pipeline import reading, step_dataset
from keras_gans.errors import InputError
from keras_gans.training.run_folder import comparable
from keras_gans.training.schedule import Schedule

ROOM = 1 << 14  # bytes of the settings that workers compare
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
        tf.errors.DeadlineExceededError, tf.errors.InternalError)  # fmt: skip


@dataclass(frozen=True)
class Team:
    """The replicas of a training.

    Attributes:
        strategy: of `tf.distribute`.
        worker: number of this process; worker 0, the chief, alone writes.
        workers: processes.
    """

    strategy: tf.distribute.Strategy
    worker: int = 0
    workers: int = 1

    @property
    def size(self) -> int:
        """Replicas of all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def own(self) -> range:
        """Numbers of this process's replicas."""
        count = self.size // self.workers
        return range(self.worker * count, (self.worker + 1) * count)

    def run(self, step: Callable[[int], object]):
        """`step(number)` of each replica of this process."""

        def of_replica():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            return step(int(tf.get_static_value(number)))

        return self.strategy.run(of_replica)

    def chiefs(self, values: Sequence) -> list[tf.Tensor]:
        """The values that the chief has."""
        return self._sums([v if self.worker == 0 else tf.zeros_like(v) for v in values])

    def everyones(self, text: bytes) -> list[bytes]:
        """The text, of at most `ROOM` bytes, that each worker has."""
        rows = np.zeros((self.workers, ROOM), np.int32)
        rows[self.worker, : len(text[:ROOM])] = np.frombuffer(text[:ROOM], np.uint8)
        [sums] = self._sums([tf.constant(rows)])
        return [row.astype(np.uint8).tobytes().rstrip(b"\0") for row in sums.numpy()]

    def _sums(self, values):
        """Over the workers: what the first replica of each has counts."""

        @tf.function
        def send(values):
            def step(number):
                first = number == self.own[0]
                sent = [tf.identity(v if first else tf.zeros_like(v)) for v in values]
                with replicas.replica(number):
                    return [replicas.total(value) for value in sent]

            return [self.strategy.experimental_local_results(v)[0] for v in self.run(step)]

        return send([tf.convert_to_tensor(value) for value in values])


_team: Team | None = None


def team() -> Team | None:
    """The replicas that train; `None` if this process trains alone on one device."""
    return _team


def is_chief() -> bool:
    """Whether this process writes, validates, samples and exports."""
    return _team is None or _team.worker == 0


def start(config) -> None:
    """Finds the replicas. To be called before all else that computes.

    Args:
        config: dataclass of settings with `replicas`.

    Raises:
        InputError: the environment is not what it should be, or a worker has other settings.
    """
    global _team
    _team = None
    cluster = _cluster()
    if cluster and config.replicas > 1:
        raise InputError("--replicas is for one process; leave it out where TF_CONFIG or Slurm "
                         "names several")  # fmt: skip
    if cluster:
        _team = _join(*cluster)
        _compare("settings", comparable(config))
    elif config.replicas > 1:
        tf.config.set_visible_devices([], "GPU")
        [cpu] = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * config.replicas
        tf.config.set_logical_device_configuration(cpu, parts)
        names = [f"CPU:{number}" for number in range(config.replicas)]
        _team = Team(tf.distribute.MirroredStrategy(names))
    elif len(tf.config.list_physical_devices("GPU")) > 1:
        _team = Team(tf.distribute.MirroredStrategy())
    if _team:
        print(f"worker {_team.worker} of {_team.workers}, {_team.size} replicas in all")
    if not is_chief():
        print("worker 0 tells of the training and writes its results", flush=True)
        sys.stdout = open(os.devnull, "w")


def alone(config) -> None:
    """For studies, which train on one device: what is remembered of them is one process's.

    Raises:
        InputError: several replicas are asked for.
    """
    if config.replicas > 1 or _cluster():
        raise InputError("a study trains on one device; leave out --replicas, and TF_CONFIG or "
                         "Slurm's tasks")  # fmt: skip


def _cluster():
    """(resolver, number of this worker, workers), or `None` if there is only this one."""
    resolvers = tf.distribute.cluster_resolver
    given = os.environ.get("TF_CONFIG")
    if given:
        try:
            known = json.loads(given)
            jobs = {job: len(known["cluster"][job]) for job in known.get("cluster", {})}
            kind, number = (
                (known["task"][name] for name in ("type", "index")) if jobs else ("", 0)
            )
            number = int(number) + (jobs.get("chief", 0) if kind == "worker" else 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                f"TF_CONFIG is not as docs/scale.md has it: {given:.200}"
            ) from None
        workers = jobs.pop("chief", 0) + jobs.pop("worker", 0)
        if jobs and (any(jobs.values()) or kind not in ("chief", "worker")):
            raise InputError(f"TF_CONFIG: chief and worker are all that train here. "
                             f"Received: {sorted(jobs)}")  # fmt: skip
        if not 0 <= number < max(workers, 1):
            raise InputError(
                f"TF_CONFIG: there is no worker {number} of {workers}: {given:.200}"
            )
        return (resolvers.TFConfigClusterResolver(), number, workers) if workers > 1 else None
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    if tasks > 1:
        number = int(os.environ["SLURM_PROCID"])
        return resolvers.SlurmClusterResolver(), number, tasks
    return None


def _join(resolver, number, workers):
    print(f"worker {number} of {workers}: waiting for the others", flush=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (*LOST, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the workers do not find each other: {reason:.300}") from None
    return Team(strategy, number, workers)


def _compare(what, values):
    """Ends the training on all workers if one has other values, a dict, than worker 0."""
    with reported():
        everyone = _team.everyones(json.dumps(values, sort_keys=True).encode())
    for number, text in enumerate(everyone):
        if text != everyone[0]:
            try:
                theirs, chiefs = json.loads(text), json.loads(everyone[0])
            except ValueError:  # longer than there is room for
                theirs = chiefs = {}
            different = "; ".join(
                f"{name} is {theirs.get(name)!s:.80}, there {chiefs.get(name)!s:.80}"
                for name in sorted({*theirs, *chiefs})
                if theirs.get(name) != chiefs.get(name)
            )
            raise InputError(f"worker {number} has other {what} than worker 0 ({different}); "
                             "give all workers the same")  # fmt: skip


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """A worker that is lost becomes one line."""
    try:
        yield
    except LOST as error:
        if not _team or _team.workers == 1:
            raise
        raise InputError(
            f"worker {_team.worker}: another worker has ended or cannot be reached (its own "
            "last line says why, if it could); start all again with --resume"
        ) from error


def agree(model: keras.Model, batch: Callable, schedule: Schedule, first: int) -> int:
    """Gives all workers the chief's model, and makes sure of their data.

    Args:
        model: compiled.
        batch, schedule: see `fit`.
        first: epochs done, of which the chief knows.

    Returns:
        the epochs done.

    Raises:
        InputError: the batch cannot be shared, a worker has other data, or one was lost.
    """
    if schedule.batch_size % _team.size:
        raise InputError(f"--batch-size must be a multiple of the replicas, {_team.size}. "
                         f"Received: {schedule.batch_size}")  # fmt: skip
    if _team.workers == 1:
        return first
    _compare("data", {"SHA-256": data_digest(batch)[:12]})
    with reported():
        first, *values = _team.chiefs([tf.constant(first), *(v.value for v in state_of(model))])
    for variable, value in zip(state_of(model), values, strict=True):
        variable.assign(value)
    return int(first)


def data_digest(batch: Callable) -> str:
    """SHA-256 of all that a function of the step gives batches from, and of its first batch."""
    with reading(0, 1) as on_disk:
        traced = tf.function(batch).get_concrete_function(tf.TensorSpec([], tf.int64))
        first = tf.nest.flatten(batch(tf.constant(0, tf.int64)))
    known = [each for each in traced.captured_inputs if each.dtype != tf.resource]
    values = (np.ascontiguousarray(each.numpy()) for each in (*known, *first))  # one by one
    found = sorted(sha256(each).digest() for each in chain(values, on_disk.values()))
    return hashlib.sha256(b"".join(found)).hexdigest()


def train(
    model: keras.Model,
    batch: Callable,
    schedule: Schedule,
    first: int,
    callbacks: Sequence[keras.callbacks.Callback],
    validation_data=None,
) -> list[keras.Model]:
    """`Model.fit` from epoch `first` on, by the replicas; arguments as of `fit`.

    Worker 0 alone measures the validation data. Callbacks see `model`, which is this process's
    first replica's.

    Returns:
        the models of this process's replicas.
    """
    models = _copies(model)
    steps = schedule.steps_per_epoch

    @tf.function
    def run(shares, phase):
        def step(number):
            own = number - _team.own[0]
            with replicas.replica(number, phase):
                train_step(models[own], shares[own])

        _team.run(step)

    def shares(step):
        with reading(_team.worker, _team.workers):
            whole = batch(step)
        return tuple(_share(model, whole, number) for number in _team.own)

    shown = is_chief() and sys.stdout.isatty()
    chosen = keras.callbacks.CallbackList(
        callbacks, add_progbar=is_chief(), verbose=1 if shown else 2, epochs=schedule.epochs,
        steps=steps, model=model,
    )  # fmt: skip
    data = iter(step_dataset(shares, first * steps, schedule.steps))
    _build_metrics(model, batch)
    chosen.on_train_begin()
    for epoch in range(first, schedule.epochs):
        model.reset_metrics()
        chosen.on_epoch_begin(epoch)
        for number in range(steps):
            chosen.on_train_batch_begin(number)
            phase = model.phase() if hasattr(model, "phase") else 0
            with reported():
                run(next(data), phase)
            chosen.on_train_batch_end(number, model.get_metrics_result() if shown else {})
        logs = {name: float(value) for name, value in model.get_metrics_result().items()}
        if validation_data is not None and is_chief():
            measured = model.evaluate(validation_data, verbose=0, return_dict=True)
            logs |= {f"val_{name}": value for name, value in measured.items()}
        chosen.on_epoch_end(epoch, logs)
    if isinstance(model.optimizer, keras.Optimizer):
        model.optimizer.finalize_variable_values(model.trainable_variables)
    chosen.on_train_end(logs)
    return models


def train_step(model: keras.Model, batch) -> None:
    """A step of one replica, of a `StepModel` or of a model that Keras trains itself."""
    if hasattr(model, "step"):
        model.train_step(batch)
        return
    x, y = batch
    with tf.GradientTape() as tape:
        predicted = model(x, training=True)
        loss = model.compute_loss(x=x, y=y, y_pred=predicted, training=True)
        scaled = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_variables)
    gradients = replicas.mean_gradients(gradients)
    model.optimizer.apply(gradients, model.trainable_variables)
    y, predicted = replicas.gather(y), replicas.gather(predicted)
    _loss_tracker(model).update_state(replicas.mean(loss), sample_weight=tf.shape(y)[0])
    model.compute_metrics(x, y, predicted)


def _loss_tracker(model):
    return next(metric for metric in model.metrics if metric.name == "loss")


def _build_metrics(model, batch):
    """Keras makes them from the first values that they see."""
    if not hasattr(model, "step"):
        x, y = batch(tf.constant(0, tf.int64))
        model.compute_metrics(x[:1], y[:1], model(x[:1], training=False))


def _share(model, batch, number):
    if hasattr(model, "share"):
        return model.share(batch, number, _team.size)
    return tf.nest.map_structure(lambda values: tf.split(values, _team.size)[number], batch)


def _copies(model):
    """The model, and a copy of it on each other device of this process."""
    models = [model]
    for device in _team.strategy.extended.worker_devices[1:]:
        with tf.device(device):
            copy = type(model).from_config(model.get_config())
            copy.compile_from_config(model.get_compile_config())
        for ours, theirs in zip(state_of(copy), state_of(model), strict=True):
            ours.assign(theirs)
        models.append(copy)
    return models


def state_of(model: keras.Model) -> list[keras.Variable]:
    """All that training changes."""
    optimizers = getattr(model, "optimizers", None) or {"optimizer": model.optimizer}
    return [*model.variables, *(v for each in optimizers.values() for v in each.variables)]

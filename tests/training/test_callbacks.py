import json

import pytest

from keras_gans.errors import InputError
from keras_gans.training.callbacks import MetricsLog, Speed, StopOnNaN


def test_metrics_log_appends_and_drops_repeated_epochs(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.keep_epochs(0)
    for epoch in range(3):
        log.on_epoch_end(epoch, {"loss": epoch / 2, "bad": float("nan")})
    log.keep_epochs(1)
    log.on_epoch_end(1, {"loss": 9.0})
    rows = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert rows == [{"epoch": 1, "loss": 0.0, "bad": None}, {"epoch": 2, "loss": 9.0}]


@pytest.mark.parametrize(
    "half", ['{"epoch": 2, "lo', "", "\0" * 20, "[2]", '{"epoch": []}', "[" * 9999, "\udcff"]
)
def test_a_damaged_row_is_left_out(tmp_path, capsys, half):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    text = f'{{"epoch": 1, "loss": 0.5}}\n{half}\n{{"epoch": 3, "loss": 0.25}}\n{{"ep'
    log.path.write_bytes(text.encode(errors="surrogateescape"))
    log.keep_epochs(3)
    rows = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert rows == [{"epoch": 1, "loss": 0.5}, {"epoch": 2}, {"epoch": 3, "loss": 0.25}]
    assert capsys.readouterr().out.count("figures of epochs [2] are damaged") == 1


def test_speed_leaves_the_first_step_out(monkeypatch, capsys):
    times = iter([0.0, 7.0, 7.0, 8.0, 9.0, 20.0, 21.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    speed, logs = Speed(batch_size=10), {}
    speed.on_epoch_begin(0)  # 0
    speed.on_train_batch_end(0)  # 7: the first step
    speed.on_train_batch_end(1)  # 8
    speed.on_train_batch_end(2)  # 9
    speed.on_epoch_end(0, logs)
    assert logs["images_per_second"] == 10.0
    speed.on_epoch_begin(1)  # 20
    speed.on_train_batch_end(0)  # 21
    speed.on_epoch_end(1, logs)
    assert logs["images_per_second"] == 10.0
    speed.on_train_end()
    assert "first step (tracing and compiling): 7.0 s" in capsys.readouterr().out


def test_stop_on_nan():
    StopOnNaN().on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(InputError, match="became nan in epoch 3; lower --learning-rate"):
        StopOnNaN().on_epoch_end(2, {"loss": float("nan")})

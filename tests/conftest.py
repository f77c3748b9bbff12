import gc
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# a core for each of two processes of tests: more threads would get in each other's way
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
# less of a compilation, which takes longer here than what it compiles
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)


@pytest.fixture(autouse=True, scope="session")
def seldom_collected():
    """Without searching TensorFlow's objects for garbage again and again while tracing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def seeded():
    """The same weights in every test, whichever tests ran before it."""
    import keras

    keras.utils.set_random_seed(0)


def pytest_collection_modifyitems(items):
    """The longest files first, so that two processes end at the same time."""
    items.sort(
        key=lambda item: (
            not item.path.name.startswith(("test_train_", "test_distil", "test_xla"))
        )
    )

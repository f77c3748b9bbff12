"""Ctrl-C and a missing package are one line, and SIGTERM exit code 143, once this is imported.

For programs, not for libraries: importing TensorFlow takes seconds, before
`report_input_errors` comes into force.
"""

import os
import signal
import sys

from keras_gans.errors import not_installed


def _hook(kind, error, traceback, show=sys.excepthook):
    # a library may have turned Ctrl-C into an error of its own
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    if not any(isinstance(each, KeyboardInterrupt) for each in causes):
        if isinstance(error, ModuleNotFoundError) and (message := not_installed(error)):
            print(f"keras_gans: {message}", file=sys.stderr, flush=True)
            os._exit(2)
        show(kind, error, traceback)
        return
    print("keras_gans: interrupted", file=sys.stderr, flush=True)
    os._exit(130)


def _terminate(*_):
    print("keras_gans: terminated", file=sys.stderr, flush=True)
    os._exit(143)


sys.excepthook = _hook
if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, _terminate)

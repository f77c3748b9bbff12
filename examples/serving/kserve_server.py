"""A KServe model server for SavedModels, where TensorFlow Serving's own cannot run.

    pip install kserve==0.21.0 tensorflow
    python kserve_server.py dscnn-photos=../../saved_models/dscnn-photos/1 --http_port 8501

It answers `/v1/models/NAME:predict` as TensorFlow Serving does, bad requests with 400.
"""

import argparse
import asyncio
import json

import kserve
import tensorflow as tf
from kserve.errors import InvalidInput
from rest import answer


class SavedModel(kserve.Model):
    """A model by name; `folder` is that of a version."""

    def __init__(self, name: str, folder: str):
        super().__init__(name)
        self.loaded = tf.saved_model.load(folder)  # the signatures do not keep it alive
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        try:
            # curl's content type is not JSON's; TensorFlow Serving does not look at it
            body = json.loads(payload) if isinstance(payload, bytes) else payload
            return await asyncio.to_thread(answer, self.loaded.signatures, body)
        except ValueError as error:
            raise InvalidInput(str(error)) from None


def main():
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    models = [each.split("=", 1) for each in parser.parse_args().models]
    kserve.ModelServer(workers=1).start([SavedModel(*each) for each in models])


if __name__ == "__main__":
    main()

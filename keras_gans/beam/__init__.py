"""The commands on millions of files, as transforms of Apache Beam.

    with beam.Pipeline() as pipeline:
        rows, bad = pipeline | Detect(["gs://photos/**.png"], "gs://found")
    write_tables("gs://found", "detect")

Files are on a disk, in Google Cloud Storage, S3 or HDFS: wherever Beam's file systems reach.
"""

from keras_gans.errors import InputError

try:
    from keras_gans.beam.tables import write_tables
    from keras_gans.beam.transforms import Classify, Detect, WhiteBalance
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] != "apache_beam":
        raise
    raise InputError(
        f'this needs Apache Beam ({error}): pip install "keras_gans[beam]"'
    ) from None

__all__ = ["Classify", "Detect", "WhiteBalance", "write_tables"]

"""All that Keras has to know to load a model of ours from a `.keras` file.

`import keras_gans` imports this if Keras is imported already. Else import it yourself before
`keras.models.load_model`, or import `keras` first: TensorFlow takes seconds to import, and not
everything here needs it.
"""

from importlib import import_module

for module in (
    "defectgan.attention",
    "defectgan.cam",
    "defectgan.model",
    "defectgan.networks",
    "defectgan.schedules",
    "frgan.model",
    "okdgan.acgan",
    "okdgan.distillation",
    "okdgan.sagan",
    "text2image.dcgan",
    "text2image.gnn",
    "text2image.model",
):
    import_module(f"keras_gans.{module}")

"""All that Keras has to know to load a model of ours from a `.keras` file.

`import keras_gans` imports this if Keras is imported already. Else import it yourself before
`keras.models.load_model`, or import `keras` first: TensorFlow takes seconds to import, and not
everything here needs it.
"""

import keras_gans.defectgan.cam
import keras_gans.defectgan.model
import keras_gans.defectgan.networks
import keras_gans.defectgan.schedules
import keras_gans.frgan.model
import keras_gans.okdgan.acgan
import keras_gans.okdgan.distillation
import keras_gans.okdgan.sagan
import keras_gans.text2image.dcgan
import keras_gans.text2image.gnn
import keras_gans.text2image.model  # noqa: F401

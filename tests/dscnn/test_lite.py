import numpy as np

from keras_gans.dscnn.estimate import estimate
from keras_gans.dscnn.lite import local_map
from keras_gans.dscnn.networks import build_dscnn


def test_the_map_of_the_graph():
    network = build_dscnn(patch_size=16)
    image = np.random.default_rng(0).uniform(0, 1, (40, 70, 3)).astype(np.float32)
    image[:16, :16] = 0
    expected = estimate(network, image[None])["local_map"][0]
    found = local_map(lambda images: {"directions": network(images).numpy()}, image, 16)
    assert found.shape == (2, 4, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)

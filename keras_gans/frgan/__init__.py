"""FR-GAN: image classification from few labels with a semi-supervised GAN."""

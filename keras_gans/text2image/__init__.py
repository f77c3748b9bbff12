"""Text to image: word2vec, DCGAN and a convolutional LSTM (Ouyang's research report)."""

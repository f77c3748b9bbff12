"""OKD-SAGAN and OKD-ACGAN: GANs that teach each other (Guo, Wang and Feng, CSAE 2021)."""

"""Keras layers that more than one network or model is made of."""

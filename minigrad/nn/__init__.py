"""Modules, layers and how their weights begin."""

from minigrad.nn.activations import GELU, AvgPool2d, Flatten, MaxPool2d, ReLU, Sigmoid, Tanh
from minigrad.nn.containers import Sequential
from minigrad.nn.dropout import Dropout
from minigrad.nn.initializers import glorot_uniform, he_normal, he_uniform, zeros
from minigrad.nn.layers import Conv2d, Linear
from minigrad.nn.module import Module
from minigrad.nn.normalization import BatchNorm, LayerNorm
from minigrad.nn.parameter import Parameter

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dropout",
    "Flatten",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "zeros",
]

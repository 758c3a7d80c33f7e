"""Drop-ins for the helpers of courses that build networks by hand in NumPy: same names and numbers, faster.

    from fastnn.course.deep import *       a network of any depth: L_layer_model, linear_forward, ...
    from fastnn.course.planar import *     one hidden layer on points in a plane: nn_model, ...
    from fastnn.course.xor import *        two sigmoid layers: optimize, forward_loss, ...
    from fastnn.course.two_layer import TwoLayerNetwork

In the first three, samples are columns: arrays are (n_features, n_samples). Arguments are lists or arrays of
real numbers; float32 stays float32, anything else is computed in float64. No argument is changed. A mean over
samples is a mean over columns: dW, db and costs are divided by their number.
"""

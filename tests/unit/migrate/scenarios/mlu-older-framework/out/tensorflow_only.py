import tensorflow as tf
x = tf.concat([a, b], 0)

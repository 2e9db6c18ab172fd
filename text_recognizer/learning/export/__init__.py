"""From a trained network to a model bundle: ONNX, quantisation, ensembles, the model card."""

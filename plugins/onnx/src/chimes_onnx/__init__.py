"""Model: any ONNX file, run by onnxruntime."""

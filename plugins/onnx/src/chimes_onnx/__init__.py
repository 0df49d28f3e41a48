"""Chimes model: any ONNX file, run by onnxruntime on the CPU."""

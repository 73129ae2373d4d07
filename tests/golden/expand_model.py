#!/usr/bin/env python3
"""Turn the published, dynamically quantised Kokoro export into float32 with the same weights.

    expand_model.py SRC.onnx DST.onnx [--plain]

The export computes most layers in integers: it quantises the layer's input while running,
multiplies integers, and scales the sum back. Here each such chain becomes the float layer that it
stands for, whose weight is (q - zero_point) * scale: a ConvInteger a Conv, a MatMulInteger a
MatMul, a DynamicQuantizeLSTM an LSTM, and a Gather of quantised rows a Gather of float rows. A
layer keeps its node's name and the name of its float output; its weight has the name of the
quantised one without "_quantized".

The tensors of tensors.py become outputs of the graph, behind `audio`; with --plain they do not.
Fails if an integer layer is left.
"""
import argparse
import collections
import sys

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from tensors import TENSORS

QUANTISED = "_quantized"
INTEGER_OPS = (
    "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
)


class Expander:
    """One graph: what makes and what reads each tensor, the new layers, and the new weights."""

    def __init__(self, graph):
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.readers = collections.defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.layers = {}   # the output of a chain -> the layer that stands for it
        self.weights = {}  # name -> float tensor
        self.counts = collections.Counter()

    def values(self, name):
        if name not in self.constants:
            raise ValueError(f"{name} is not a constant of the graph")
        return numpy_helper.to_array(self.constants[name])

    def made_by(self, name, op):
        node = self.maker.get(name)
        if node is None or node.op_type != op:
            found = node.op_type if node else "no node"
            raise ValueError(f"{name}: made by {found}, {op} expected")
        return node

    def only_reader(self, name, op):
        readers = self.readers[name]
        if len(readers) != 1 or readers[0].op_type != op:
            found = [node.op_type for node in readers]
            raise ValueError(f"{name}: read by {found}, one {op} expected")
        return readers[0]

    def other_input(self, node, name):
        others = [other for other in node.input if other != name]
        if len(node.input) != 2 or len(others) != 1:
            raise ValueError(f"{node.name}: inputs {list(node.input)}")
        return others[0]

    def add_weight(self, quantised, values):
        """Keep a weight, under the name that it had before it was quantised."""
        if not quantised.endswith(QUANTISED):
            raise ValueError(f"{quantised}: a name that ends in {QUANTISED} expected")
        name = quantised.removesuffix(QUANTISED)
        if name in self.constants or name in self.maker:
            raise ValueError(f"{name}: the name of {quantised}'s weight is taken")
        values = np.ascontiguousarray(values, dtype=np.float32)
        if name in self.weights:
            if not np.array_equal(numpy_helper.to_array(self.weights[name]), values):
                raise ValueError(f"{quantised}: used with two scales")
            return name
        self.weights[name] = numpy_helper.from_array(values, name)
        return name

    def add_layer(self, op, old, inputs, output, other_outputs=()):
        layer = helper.make_node(op, inputs, [output, *other_outputs], name=old.name)
        layer.attribute.extend(old.attribute)
        self.layers[output] = layer
        self.counts[f"{old.op_type} -> {op}"] += 1

    def bias_of(self, name):
        """The float bias that is quantised while running: Div by a scale, Floor, Cast, Reshape."""
        for op in ("Reshape", "Cast", "Floor", "Div"):
            name = self.made_by(name, op).input[0]
        self.values(name)
        return name

    def expand_product(self, node, op):
        """ConvInteger or MatMulInteger [-> Add of a bias] -> Cast -> Mul by both scales."""
        quantiser = self.made_by(node.input[0], "DynamicQuantizeLinear")
        if len(node.input) != 4 or node.input[2] != quantiser.output[2]:
            raise ValueError(f"{node.name}: the zero points of its input and weight expected")
        inputs = [quantiser.input[0], None]
        end = node.output[0]
        if any(reader.op_type == "Add" for reader in self.readers[end]):
            add = self.only_reader(end, "Add")
            inputs.append(self.bias_of(self.other_input(add, end)))
            end = add.output[0]
        end = self.only_reader(end, "Cast").output[0]
        scaling = self.only_reader(end, "Mul")
        scales = self.made_by(self.other_input(scaling, end), "Mul")
        scale = self.values(self.other_input(scales, quantiser.output[1])).astype(np.float32)
        zero = self.values(node.input[3]).astype(np.float32)
        weight = self.values(node.input[1]).astype(np.float32)
        if op == "Conv":  # one number, or one an output channel; a product's are one a column
            zero, scale = (a.reshape((-1,) + (1,) * (weight.ndim - 1)) for a in (zero, scale))
        inputs[1] = self.add_weight(node.input[1], (weight - zero) * scale)
        self.add_layer(op, node, inputs, scaling.output[0])

    def expand_lstm(self, node):
        """Quantised weights are [direction, input, 4 hidden]; float ones swap the last two."""
        inputs = list(node.input[:8])
        for at, scale_at in ((1, 8), (2, 10)):
            weight = self.values(node.input[at]).astype(np.float32)
            scale, zero = (
                self.values(name).astype(np.float32).reshape(weight.shape[0], 1, -1)
                for name in node.input[scale_at:scale_at + 2]
            )
            weight = ((weight - zero) * scale).transpose(0, 2, 1)
            inputs[at] = self.add_weight(node.input[at], weight)
        while not inputs[-1]:
            inputs.pop()
        self.add_layer("LSTM", node, inputs, node.output[0], node.output[1:])

    def expand_rows(self, node):
        """Gather of quantised rows -> DequantizeLinear."""
        end = self.only_reader(node.output[0], "DequantizeLinear")
        scale, zero = (self.values(name).astype(np.float32) for name in end.input[1:3])
        if scale.size != 1 or zero.size != 1:
            raise ValueError(f"{node.name}: one scale expected")
        weight = (self.values(node.input[0]).astype(np.float32) - zero) * scale
        inputs = [self.add_weight(node.input[0], weight), node.input[1]]
        self.add_layer("Gather", node, inputs, end.output[0])

    def expand(self):
        for node in self.graph.node:
            if node.op_type == "ConvInteger":
                self.expand_product(node, "Conv")
            elif node.op_type == "MatMulInteger":
                self.expand_product(node, "MatMul")
            elif node.op_type == "DynamicQuantizeLSTM":
                self.expand_lstm(node)
            elif node.op_type == "Gather" and node.input[0].endswith(QUANTISED):
                self.expand_rows(node)

    def add_outputs(self):
        """Make the chosen inner tensors outputs of the graph."""
        there = {value.name for value in self.graph.output}
        for file_name, name, layout in TENSORS:
            if name not in self.maker:
                raise ValueError(f"{name}: no such tensor, for {file_name}")
            if name not in there:
                dims = [1 if letter == "1" else f"{file_name}_{letter}" for letter in layout]
                value = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)
                self.graph.output.append(value)

    def rewrite(self):
        """Put the layers where their chains ended, and drop all that no output needs."""
        needed = {value.name for value in self.graph.output}
        nodes = []
        for node in reversed(self.graph.node):
            node = self.layers.get(node.output[0], node)
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        nodes.reverse()
        tensors = (*self.graph.initializer, *self.weights.values())
        tensors = [tensor for tensor in tensors if tensor.name in needed]
        values = [value for value in self.graph.value_info if value.name in needed]
        for field, new in (("node", nodes), ("initializer", tensors), ("value_info", values)):
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(new)


def left_over(graph):
    """The integer layers, and the operators outside the ONNX standard, with their numbers."""
    integer = [node.op_type for node in graph.node if node.op_type in INTEGER_OPS]
    extra = [node.op_type for node in graph.node if node.domain not in ("", "ai.onnx")]
    return dict(collections.Counter(integer)), dict(collections.Counter(extra))


def expand_model(source, target, inner_outputs=True):
    """Expand a file into another; the lines of a report. ValueError if it is no such export."""
    try:
        model = onnx.load(source)
    except DecodeError as err:
        raise ValueError(f"{source}: not an ONNX file") from err
    expander = Expander(model.graph)
    expander.expand()
    if inner_outputs:
        expander.add_outputs()
    expander.rewrite()
    integer, extra = left_over(model.graph)
    if not expander.layers:
        raise ValueError(f"{source}: no quantised layers found")
    if integer:
        raise ValueError(f"{source}: integer layers left: {integer}")
    onnx.checker.check_model(model)
    onnx.save(model, target)
    lines = [f"{what}: {n}" for what, n in sorted(expander.counts.items())]
    lines.append(f"outputs: {len(model.graph.output)}, nodes: {len(model.graph.node)}")
    lines.append(f"left over: no integer layers; ONNX Runtime's own operators: {extra}")
    return lines


def main():
    ap = argparse.ArgumentParser(description="Expand the int8 export to float32.")
    ap.add_argument("source")
    ap.add_argument("target")
    ap.add_argument("--plain", action="store_true", help="no inner tensors as outputs")
    args = ap.parse_args()
    try:
        lines = expand_model(args.source, args.target, not args.plain)
    except (OSError, ValueError, onnx.checker.ValidationError) as err:
        sys.exit(f"expand_model.py: {err}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

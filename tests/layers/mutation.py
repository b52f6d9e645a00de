"""Mutants of a function: copies of it with one mistake each, made from its syntax, whatever its text is."""

import ast
import copy
import inspect

LEFT_ALONE = ("to", "accumulator", "contiguous", "empty_like", "zeros_like", "ones_like", "view_as", "cast", "_check")
"""Calls for types, layouts and refusals, of which values in float64 say nothing."""

OPPOSITE = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE}


def mutants(function):
    """Pairs of a description and a function; what refuses arguments (``if ...: raise``) is left alone."""
    tree = ast.parse(inspect.getsource(function))
    body = tree.body[0].body
    left_alone = {id(part) for node in body if is_refusal(node) for part in ast.walk(node)}
    signature = {id(part) for part in ast.walk(tree)} - {id(part) for node in body for part in ast.walk(node)}
    for number, node in enumerate(ast.walk(tree)):
        for mistake in mistakes(node) if id(node) not in left_alone | signature else ():
            changed = copy.deepcopy(tree)
            Replacement(list(ast.walk(changed))[number], copy.deepcopy(mistake)).visit(changed)
            found = {}
            exec(
                compile(ast.fix_missing_locations(changed), "<mutant>", "exec"),
                inspect.unwrap(function).__globals__,
                found,
            )
            right, wrong = (ast.unparse(n).partition(":\n")[0] for n in (node, mistake))
            yield f"{function.__name__}: {right} -> {wrong}", found[function.__name__]


def is_refusal(node):
    return isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)


class Replacement(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def mistakes(node):
    """What may wrongly stand in place of `node`: one of its operands, the same of an operand times 0, its opposite."""
    match node:
        case ast.BinOp(left=left, right=right):
            yield from (left, right)
        case ast.UnaryOp(op=ast.Not(), operand=operand) | ast.Attribute(value=operand, attr="T"):
            yield operand
        case ast.BoolOp(values=values):
            yield from values
        case ast.IfExp(body=body, orelse=orelse):
            yield orelse
            if not isinstance(orelse, ast.Constant):  # rather than None, where nobody wants it
                yield body
        case ast.Compare(left=left, ops=[operator], comparators=right) if type(operator) in OPPOSITE:
            yield ast.Compare(left, [OPPOSITE[type(operator)]()], right)
        case ast.If(test=ast.Name() as flag, body=body, orelse=orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), flag), body, orelse)
        case ast.Tuple(elts=[ast.Constant(value=2), ast.Constant(value=3)] as axes):
            yield ast.Tuple([ast.Constant(0), *axes], ast.Load())  # over the batch
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name not in LEFT_ALONE:
            yield from mistaken_calls(node, name)


def mistaken_calls(call, name):
    if isinstance(call.func, ast.Attribute):
        yield call.func.value
    if name == "mean":
        yield ast.Call(ast.Attribute(call.func.value, "sum", ast.Load()), call.args, call.keywords)
    for i, argument in enumerate(call.args):
        if not isinstance(argument, ast.Constant | ast.Tuple | ast.Starred):
            yield argument
            if isinstance(call.func, ast.Attribute):
                nothing = ast.BinOp(ast.Constant(0), ast.Mult(), argument)
                yield ast.Call(call.func, [*call.args[:i], nothing, *call.args[i + 1 :]], call.keywords)

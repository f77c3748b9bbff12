"""TensorFlow Serving's answers to JSON requests, by a SavedModel in this process."""

import base64

import tensorflow as tf


def answer(signatures: dict, body: dict) -> dict:
    """Answers one request to `/v1/models/NAME:predict`.

    Args:
        signatures: of the loaded model.
        body: `signature_name`, and rows (`instances`) or columns (`inputs`); bytes are
            `{"b64": ...}`.

    Returns:
        `{"predictions": ...}` for rows, `{"outputs": ...}` for columns. What is named
        `..._bytes` is `{"b64": ...}`.

    Raises:
        ValueError: the request does not fit the signature, or the model refuses it.
    """
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")
    name = body.get("signature_name", "serving_default")
    if name not in signatures:
        raise ValueError(f"signature_name: one of {sorted(signatures)}. Received: {name}")
    specs = signatures[name].structured_input_signature[1]
    try:
        tensors = {
            each: tf.constant(_plain(column), specs[each].dtype)
            for each, column in _columns(body, specs).items()
        }
        outputs = signatures[name](**tensors)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(error.message) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"inputs of {name}: {', '.join(specs)}. Received others") from error
    columns = {each: _json(each, value.numpy().tolist()) for each, value in outputs.items()}
    single = next(iter(columns.values())) if len(columns) == 1 else None
    if "instances" not in body:
        return {"outputs": single or columns}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values(), strict=True)]
    return {"predictions": single or rows}


def _columns(body, specs):
    if "instances" in body:
        first, rows = next(iter(specs)), body["instances"]
        rows = [row if _is_named(row) else {first: row} for row in rows]
        return {name: [row[name] for row in rows] for name in specs}
    given = body["inputs"]
    return given if _is_named(given) else {next(iter(specs)): given}


def _is_named(values):
    return isinstance(values, dict) and set(values) != {"b64"}


def _plain(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _json(name, value):
    if isinstance(value, list):
        return [_json(name, each) for each in value]
    if not isinstance(value, bytes):
        return value
    if name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    return value.decode()

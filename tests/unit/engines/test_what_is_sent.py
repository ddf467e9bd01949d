"""An engine is sent what it lacks, whatever it knows layers by."""

import pytest
from docker_standin import Daemon, Shown, image, layer

BASE, ENV, WEIGHTS, CODE, EDITED = (layer(bytes([number]) * 3000) for number in range(5))


@pytest.mark.parametrize("containerd", [False, True])
def test_an_edit_above_the_weights_sends_the_edit(containerd: bool) -> None:
    daemon, shown = Daemon(containerd), Shown()
    engine = daemon.engine()
    assert engine.load(image(BASE, ENV, WEIGHTS, CODE), Shown()) == 4 * 3000
    assert engine.load(image(BASE, ENV, WEIGHTS, EDITED, name="x:edited"), shown) == 3000
    assert daemon.sent[-1] == [EDITED.diff_id] and shown.totals == [3000] and shown.done == 3000
    assert shown.texts == ["loading x:edited into Docker, which has 8.8 KiB of it"]


def test_a_blob_is_known_in_the_containerd_store_whatever_lies_below_it() -> None:
    daemon = Daemon(containerd=True)
    engine = daemon.engine()
    engine.load(image(BASE, WEIGHTS, CODE), Shown())
    engine.load(image(BASE, ENV, WEIGHTS, CODE, name="x:other"), Shown())
    assert daemon.sent[-1] == [ENV.diff_id]


def test_a_graph_driver_knows_a_layer_by_what_lies_below_it() -> None:
    daemon = Daemon(containerd=False)
    engine = daemon.engine()
    engine.load(image(BASE, WEIGHTS, CODE), Shown())
    engine.load(image(BASE, ENV, WEIGHTS, CODE, name="x:other"), Shown())
    assert daemon.sent[-1] == [ENV.diff_id, WEIGHTS.diff_id, CODE.diff_id]


def test_each_image_is_asked_about_once() -> None:
    daemon = Daemon(containerd=False)
    engine = daemon.engine()
    for number, top in enumerate((CODE, EDITED, ENV)):
        engine.load(image(BASE, top, name=f"x:{number}"), Shown())
    layers_of = [path for path in daemon.asked if path.startswith("/images/sha256")]
    # Of each image: whether it is there, before it comes and after, and its name; then its layers, unless it came last.
    first = f"/images/sha256%3A{image(BASE, CODE, name='x:0').image_id}/json"
    assert layers_of.count(first) == 3 and len(layers_of) == 3 * 3 - 1


@pytest.mark.parametrize("containerd", [False, True])
def test_an_image_that_goes_before_the_load_is_sent_whole(containerd: bool) -> None:
    daemon = Daemon(containerd)
    engine = daemon.engine()
    engine.load(image(BASE, WEIGHTS, CODE), Shown())

    def removed() -> None:
        daemon.images.clear()
        daemon.blobs.clear()
        daemon.chains.clear()

    daemon.before_load = removed
    assert engine.load(image(BASE, WEIGHTS, EDITED, name="x:edited"), Shown()) == 4 * 3000
    assert daemon.sent[1:] == [[EDITED.diff_id], [BASE.diff_id, WEIGHTS.diff_id, EDITED.diff_id]]


def test_a_containerd_store_that_took_an_image_without_its_blobs_gets_them() -> None:
    """It unpacks nothing where the chain is there, and does not say that blobs are missing."""
    daemon = Daemon(containerd=True)
    engine = daemon.engine()
    engine.load(image(BASE, WEIGHTS, CODE), Shown())
    daemon.before_load = daemon.blobs.clear
    engine.load(image(BASE, WEIGHTS, EDITED, name="x:edited"), Shown())
    assert {BASE.diff_id, WEIGHTS.diff_id, EDITED.diff_id} <= daemon.blobs


def test_an_image_that_lacks_blobs_already_is_loaded_again() -> None:
    daemon = Daemon(containerd=True)
    engine = daemon.engine()
    made = image(BASE, WEIGHTS)
    engine.load(made, Shown())
    daemon.blobs.clear()
    assert engine.load(made, Shown()) == 2 * 3000 and len(daemon.blobs) == 2


def test_images_of_others_prove_nothing_about_blobs() -> None:
    """A pulled one has its layers compressed: other blobs of the same diff IDs."""
    daemon = Daemon(containerd=True)
    engine = daemon.engine()
    daemon.images["sha256:" + "1" * 64] = {"diff_ids": [BASE.diff_id, WEIGHTS.diff_id]}
    assert engine.load(image(BASE, WEIGHTS), Shown()) == 2 * 3000


@pytest.mark.parametrize("containerd", [False, True])
def test_what_an_engine_lacks_of_layers_that_are_partly_unknown(containerd: bool) -> None:
    daemon = Daemon(containerd)
    engine = daemon.engine()
    engine.load(image(BASE, ENV, WEIGHTS), Shown())
    asked = [BASE.diff_id, None, WEIGHTS.diff_id]
    assert engine.lacks(asked) == [False, True, not containerd]

"""The chosen operating point finds what is there, and is no single lucky point of the grid."""

import numpy as np

from spinome.scores.objects import Matched, precision_recall_f1
from spinome.synapses.training.operating_point import MIN_PEAKS, MIN_VOLUMES_UM3, THRESHOLDS, best_point, try_points

VOXEL_NM = (45.0, 8.0, 8.0)


def f1(result):
    return precision_recall_f1(result)[2]


def scene():
    """Six synapses with a clear middle, six faint blobs, six bright specks, in 400 columns."""
    truth, probability = np.zeros((4, 60, 400), np.uint8), np.zeros((4, 60, 400), np.float32)
    for index in range(6):
        x = 20 + 60 * index
        truth[1:3, 10:22, x : x + 12] = 1
        probability[1:3, 10:22, x : x + 12] = 0.55
        probability[1:3, 14:18, x + 4 : x + 8] = 0.97
        probability[1:3, 40:52, x : x + 12] = 0.55
        probability[1, 30:32, x] = 0.97
    return probability, truth


def test_a_peak_tells_synapses_from_faint_blobs_and_a_volume_from_specks():
    probability, truth = scene()
    tried = try_points(probability, truth, VOXEL_NM)
    assert len(tried) == len(THRESHOLDS) * len(MIN_VOLUMES_UM3) * len(MIN_PEAKS)
    point = best_point({point: [one.result] for point, one in tried.items()}, f1)
    assert f1(tried[point].result) == 1
    assert f1(tried[0.2, 0.0, 0.0].result) < 0.6
    best = tried[point]
    assert best.partner.tolist() == list(range(6))
    np.testing.assert_allclose(best.found_x, best.truth_x)
    assert best.truth_sections.tolist() == [2] * 6
    expected_um3 = 2 * (128 * 0.55 + 16 * 0.97) * np.prod(VOXEL_NM) / 1e9
    np.testing.assert_allclose(tried[0.5, 0.0, 0.9].result.found_score[:6], expected_um3, rtol=1e-5)


def test_neighbours_decide_between_points():
    def result(hits):
        return [Matched(np.ones(10), np.arange(10) < hits, np.arange(10) < hits)]

    points = {(t, v, p): result(5) for t in THRESHOLDS for v in MIN_VOLUMES_UM3 for p in MIN_PEAKS}
    lucky, middle = (THRESHOLDS[1], MIN_VOLUMES_UM3[1], MIN_PEAKS[1]), (7, 2, 5)
    points[lucky] = result(9)
    for t in range(6, 9):
        for v in range(1, 4):
            for p in range(4, 7):
                points[THRESHOLDS[t], MIN_VOLUMES_UM3[v], MIN_PEAKS[p]] = result(8)
    chosen = best_point(points, f1)
    assert chosen == (THRESHOLDS[middle[0]], MIN_VOLUMES_UM3[middle[1]], MIN_PEAKS[middle[2]])


def found_of(*hits):
    """Volumes with so many of ten objects found, and as many of those found wrong as are missed."""
    return [Matched(np.ones(10), np.arange(10) < one, np.arange(10) < one) for one in hits]


def test_of_points_alike_the_one_that_keeps_the_smallest_and_the_least_sure():
    """A point that is better in one volume and worse in another is no better; one that is so in each is."""
    points = {(t, v, p): found_of(2, 2, 2, 2) for t in THRESHOLDS for v in MIN_VOLUMES_UM3 for p in MIN_PEAKS}
    large = {point for point in points if point[1] >= 0.0004}
    sure = {point for point in points if point[1] < 0.0004 and max(point[0], point[2]) >= 0.9}
    points |= dict.fromkeys(large, found_of(9, 5, 5, 5)) | dict.fromkeys(sure, found_of(3, 8, 6, 6))
    chosen = best_point(points, f1)
    assert chosen[1] == 0 and max(chosen[0], chosen[2]) == 0.9
    points |= dict.fromkeys(sure, found_of(7, 4, 4, 4))
    assert best_point(points, f1)[1] >= 0.0004
    # nothing says how far scores of one volume can be relied on
    assert best_point({point: [results[0]] for point, results in points.items()}, f1)[1] >= 0.0004


def test_nothing_found_is_a_score_of_nothing():
    probability, truth = scene()
    tried = try_points(np.zeros_like(probability), truth, VOXEL_NM)
    best = tried[best_point({point: [one.result] for point, one in tried.items()}, f1)]
    assert len(best.found_x) == 0 and not best.result.truth_found.any()

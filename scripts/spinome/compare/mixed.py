"""Mixed models with independent random effects: linear ones by REML, others by Laplace's approximation.

These are the estimators of R's lme4 (Bates et al. 2015), `lmer` and `glmer` with `nAGQ=1`, and the tests hold them
against its output. They are written here since no kept library in Python gave the same numbers. statsmodels 0.15's
`MixedLM` did not converge where a variance is near zero, or gave a standard error three times too large, and took 40 s
for 1,000 animals; its generalised mixed models are Bayesian and know no exposure and no trials. gpboost 1.8 has no
REML, and the standard errors of its binomial models were 20 % below those of lme4, at its strictest settings too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import splu
from scipy.special import expit, gammaln

# below so many random intercepts a dense factor is faster than a sparse one
DENSE = 400
# steps of Newton's method, of which a well-behaved model needs 4 to 8
NEWTON_STEPS = 60
# what another step would add to the log likelihood
SETTLED = 1e-12
# tolerances of a spread and of minus twice the log likelihood, where a step costs little and where it costs much
FINE, COARSE = (1e-5, 1e-8), (3e-3, 1e-3)
# a search that ended for want of precision is good where no slope, per standard error, is above this
STEEPEST = 0.05
# step of the numerical slopes of the likelihood, in standard errors
SLOPE_STEP = 1e-4
# a standard deviation below this is 0: on the scale of the logit or the logarithm, where the search is no finer, and
# of a linear model over that of its rows
NO_SPREAD, NO_RATIO = 5e-3, 1e-3
# linear predictors beyond this are a probability of 0 or 1 in floating point
LARGEST_PREDICTOR = 30.0
# a standard error of this size, of a column of spread 1 on the scale of the logit or the logarithm, is no estimate's
RUNAWAY = 20.0
# step of numerical second derivatives, in standard errors
HESSIAN_STEP = 0.1


class NoEstimateError(ArithmeticError):
    """The model has no estimate; the message says why."""


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    coefficients, covariance : (p,) and (p, p) of the fixed effects
    spread : (K,) standard deviations of the random effects
    residual : standard deviation of the rows of a linear model, else None
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    spread: np.ndarray
    residual: float | None

    @property
    def standard_errors(self) -> np.ndarray:
        """(p,) of the fixed effects."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class RandomEffect:
    """An effect that differs between units by chance.

    Attributes
    ----------
    code : (n,) unit of each row, counted from 0
    value : (n,) what the unit's effect is multiplied by: ones for an intercept, a covariate for a slope
    """

    code: np.ndarray
    value: np.ndarray

    @classmethod
    def intercept(cls, code: np.ndarray) -> RandomEffect:
        """A random intercept."""
        return cls(code, np.ones(len(code)))


@dataclass(frozen=True)
class _Inner:
    """Random effects as the columns of one matrix Z (n, q), which is never written out."""

    effects: tuple[RandomEffect, ...]
    rows: int

    @cached_property
    def sizes(self) -> list[int]:
        return [int(effect.code.max()) + 1 for effect in self.effects]

    @cached_property
    def columns(self) -> np.ndarray:
        """(K, n) the column of Z in which each row has a value, by effect."""
        starts = np.cumsum([0, *self.sizes[:-1]])
        columns = [effect.code + start for effect, start in zip(self.effects, starts)]
        return np.array(columns, np.int64).reshape(len(self.effects), self.rows)

    @cached_property
    def values(self) -> np.ndarray:
        """(K, n) that value."""
        return np.array([effect.value for effect in self.effects], float).reshape(len(self.effects), self.rows)

    def each(self, spread: np.ndarray) -> np.ndarray:
        """(q,) the spread of each column's effect."""
        return np.repeat(spread, self.sizes)

    def of_rows(self, values: np.ndarray) -> np.ndarray:
        """Z v (n,)."""
        return (self.values * values[self.columns]).sum(axis=0)

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Z' x (q,) or (q, p)."""
        if rows.ndim == 2:
            return np.stack([self.sums(column) for column in rows.T], axis=1)
        size = sum(self.sizes)
        parts = (np.bincount(column, value * rows, size) for column, value in zip(self.columns, self.values))
        return sum(parts, start=np.zeros(size))

    def cross(self, weights: np.ndarray) -> np.ndarray | sparse.csc_array:
        """Z' W Z (q, q), sparse where it is large."""
        size = sum(self.sizes)
        one, other = np.indices((len(self.effects), len(self.effects))).reshape(2, -1)
        first, second = self.columns[one], self.columns[other]
        values = self.values[one] * self.values[other] * weights
        if size < DENSE:
            return np.bincount((first * size + second).ravel(), values.ravel(), size * size).reshape(size, size)
        return sparse.coo_array((values.ravel(), (first.ravel(), second.ravel())), (size, size)).tocsc()


def _factor(cross: np.ndarray | sparse.csc_array, each: np.ndarray) -> tuple[Callable, float]:
    """Solver and log determinant of I + S Z'WZ S, where S holds the spread of each column."""
    if not len(each):
        return lambda right: right, 0.0
    if isinstance(cross, np.ndarray):
        # LAPACK itself, since the checks around it take longer than the work on a few dozen units
        lower, failed = lapack.dpotrf(each[:, None] * cross * each + np.eye(len(each)), lower=1)
        if failed:
            raise NoEstimateError("the model did not converge")
        return lambda right: lapack.dpotrs(lower, right, lower=1)[0], 2 * float(np.log(np.diag(lower)).sum())
    scale = sparse.diags_array(each)
    factor = splu(
        (scale @ cross @ scale + sparse.eye_array(len(each))).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0
    )
    return factor.solve, float(np.log(np.abs(factor.U.diagonal())).sum())


def fit_linear(response: np.ndarray, matrix: np.ndarray, random: Sequence[RandomEffect]) -> Fit:
    """A linear mixed model by restricted maximum likelihood (Bates et al. 2015, eq. 41).

    Parameters
    ----------
    response : (n,)
    matrix : (n, p) fixed effects of full rank
    random : effects that differ between units; may be none

    Raises
    ------
    NoEstimateError: where rows are too few, do not vary, or the search does not end.
    """
    rows, effects = matrix.shape
    if rows <= effects:
        raise NoEstimateError(f"{rows} rows are too few for {effects} effects")
    if np.ptp(response) == 0:
        raise NoEstimateError("the response is the same in all rows")
    inner = _Inner(tuple(random), rows)
    cross, both = inner.cross(np.ones(rows)), inner.sums(np.column_stack([matrix, response]))
    plain = np.column_stack([matrix, response])
    plain = plain.T @ plain

    def solved(ratio: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, float]:
        """Criterion, fixed effects, their covariance over the residual variance, and that variance."""
        each = inner.each(ratio)
        solve, determinant = _factor(cross, each)
        right = each[:, None] * both
        reduced = plain - right.T @ solve(right)
        lower = linalg.cholesky(reduced[:effects, :effects], lower=True)
        beta = linalg.cho_solve((lower, True), reduced[:effects, effects])
        left = max(reduced[effects, effects] - beta @ reduced[:effects, effects], np.finfo(float).tiny)
        variance = left / (rows - effects)
        criterion = determinant + 2 * np.log(np.diag(lower)).sum() + (rows - effects) * np.log(variance)
        return criterion, beta, linalg.cho_solve((lower, True), np.eye(effects)), variance

    ratio = np.zeros(0)
    if random:
        ratio = _least(lambda free: solved(np.abs(free))[0], np.full(len(random), 0.5))
        ratio[ratio < NO_RATIO] = 0
    _, beta, shape, variance = solved(ratio)
    return Fit(beta, shape * variance, ratio * np.sqrt(variance), float(np.sqrt(variance)))


def _least(
    criterion: Callable[[np.ndarray], float], start: np.ndarray, tolerance: tuple[float, float] = FINE
) -> np.ndarray:
    """Where a function of standard deviations, even in each, is least.

    At 0 the slope of such a function is 0 whether or not it is least there, so the search is one without slopes.
    """
    options = {"xatol": tolerance[0], "fatol": tolerance[1], "maxiter": 1000 * len(start)}
    found = optimize.minimize(criterion, start, method="Nelder-Mead", options=options)
    if not found.success or not np.isfinite(found.fun):
        raise NoEstimateError("the search for the variances did not end")
    return np.abs(found.x)


def fit_generalised(
    kind: str,
    response: np.ndarray,
    whole: np.ndarray,
    matrix: np.ndarray,
    random: Sequence[RandomEffect],
    restricted: bool = True,
) -> Fit:
    """A binomial (logit) or Poisson (log) mixed model by Laplace's approximation of the likelihood.

    The spread of few units comes out too small by maximum likelihood, and so do standard errors, by a fifth with six
    animals in two groups. Both are therefore by the restricted likelihood, in which the fixed effects are integrated
    out as the random ones are (as R's glmmTMB does); the estimates are of maximum likelihood with that spread.

    Parameters
    ----------
    kind : `binomial` or `poisson`
    response : (n,) counts
    whole : (n,) trials, or exposure
    matrix, random : as `fit_linear`
    restricted : False gives all by maximum likelihood, as lme4 does

    Raises
    ------
    NoEstimateError: where an effect has no finite estimate (separation), or the search does not end.
    """
    response, whole, matrix, random = _joined(response, whole, matrix, random)
    effects = matrix.shape[1]
    model = _Laplace(kind, response, whole, matrix, _Inner(tuple(random), len(response)))
    near = model.start(), np.zeros(sum(model.inner.sizes))

    def restricted_deviance(spread: np.ndarray) -> float:
        # the next mode is searched for from this one, which is near
        nonlocal near
        mode = model.mode(np.abs(spread), *near)
        near = mode.beta, mode.inner
        return mode.restricted

    spread = _least(restricted_deviance, np.full(len(random), 0.3), COARSE) if random else np.zeros(0)
    mode = model.mode(spread, *near)
    covariance = linalg.pinvh(mode.information)
    _require_settled(covariance, matrix)
    if not random:
        return Fit(mode.beta, covariance, spread, None)
    searched = effects if restricted else effects + len(random)

    def deviance(both: np.ndarray) -> float:
        return model.mode(np.abs(both[effects:]), both[:effects], mode.inner, fixed=True).deviance

    # each effect in units of its own standard error, so that steps mean the same for all
    scale = np.concatenate([np.sqrt(np.diag(covariance)), np.full(len(random), 0.1)])
    found = np.concatenate([mode.beta, spread])
    found[:searched] += scale[:searched] * _lowest(
        lambda steps: deviance(np.concatenate([found[:searched] + steps * scale[:searched], found[searched:]])),
        searched,
    )
    found[effects:] = spread = np.where(np.abs(found[effects:]) < NO_SPREAD, 0, np.abs(found[effects:]))
    if restricted:
        return Fit(found[:effects], covariance, spread, None)
    free = np.flatnonzero(np.concatenate([np.ones(effects, bool), spread > 0]))
    try:
        covariance = 2 * linalg.inv(_hessian(deviance, found, free, scale))
    except linalg.LinAlgError:
        raise NoEstimateError("the likelihood is flat; the effects cannot be told from chance") from None
    return Fit(found[:effects], covariance[:effects, :effects], spread, None)


def _require_settled(covariance: np.ndarray, matrix: np.ndarray) -> None:
    """Raise a NoEstimateError where an effect runs away, since counts of 0, or of all, can be told apart by it."""
    size = np.where(np.ptp(matrix, axis=0) > 0, matrix.std(axis=0), 1.0)
    if not (np.sqrt(np.diag(covariance)) * size < RUNAWAY).all():
        raise NoEstimateError(
            "separation: some effect has no finite estimate, since it parts rows with events from rows without; leave "
            "it out, or join levels"
        )


def _lowest(criterion: Callable[[np.ndarray], float], size: int) -> np.ndarray:
    """Where a smooth function of steps in standard errors is lowest, from none."""
    options = {"gtol": 1e-3, "eps": SLOPE_STEP}
    found = optimize.minimize(criterion, np.zeros(size), method="BFGS", options=options)
    if not np.isfinite(found.fun) or (not found.success and np.abs(found.jac).max() > STEEPEST):
        raise NoEstimateError("the model did not converge")
    return found.x


def _joined(
    response: np.ndarray, whole: np.ndarray, matrix: np.ndarray, random: Sequence[RandomEffect]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[RandomEffect]]:
    """Counts added up over rows of the same effects and units: the likelihood differs by a constant alone."""
    keys = np.column_stack([matrix, *(column for effect in random for column in (effect.code, effect.value))])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    group = group.ravel()
    return (
        np.bincount(group, response),
        np.bincount(group, whole),
        matrix[first],
        [RandomEffect(effect.code[first], effect.value[first]) for effect in random],
    )


@dataclass(frozen=True)
class _Mode:
    """Effects at their most probable, minus twice the log likelihood, and the information (p, p) on fixed effects.

    There is no information where the fixed effects were held.
    """

    beta: np.ndarray
    inner: np.ndarray
    deviance: float
    information: np.ndarray | None

    @property
    def restricted(self) -> float:
        """Minus twice the restricted log likelihood."""
        return self.deviance + np.linalg.slogdet(self.information)[1]


@dataclass(frozen=True)
class _Laplace:
    """A generalised model, with its likelihood in the form of eq. 25 ff. of Bates et al. (2015, `lme4` theory)."""

    kind: str
    response: np.ndarray
    whole: np.ndarray
    matrix: np.ndarray
    inner: _Inner

    def expected(self, predictor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts and the weight of each row."""
        predictor = predictor.clip(-LARGEST_PREDICTOR, LARGEST_PREDICTOR)
        if self.kind == "poisson":
            mean = self.whole * np.exp(predictor)
            return mean, mean
        share = expit(predictor)
        return self.whole * share, self.whole * share * (1 - share)

    @cached_property
    def _constant(self) -> float:
        if self.kind == "poisson":
            return float((self.response * np.log(self.whole) - gammaln(self.response + 1)).sum())
        return 0.0

    def log_likelihood(self, predictor: np.ndarray) -> float:
        if self.kind == "poisson":
            return (
                float(self.response @ predictor - self.whole @ np.exp(np.minimum(predictor, LARGEST_PREDICTOR)))
                + self._constant
            )
        return float(self.response @ predictor - self.whole @ np.logaddexp(0, predictor))

    def start(self) -> np.ndarray:
        """Fixed effects from the counts themselves, each a little off its extremes."""
        if self.kind == "poisson":
            values = np.log((self.response + 0.5) / self.whole)
        else:
            values = np.log((self.response + 0.5) / (self.whole - self.response + 0.5))
        return np.linalg.lstsq(self.matrix, values, rcond=None)[0]

    def mode(self, spread: np.ndarray, beta: np.ndarray, inner: np.ndarray, fixed: bool = False) -> _Mode:
        """The most probable random effects, in units of their spread, by Newton's method with halved steps.

        Parameters
        ----------
        beta, inner : (p,) and (q,) where the search begins
        fixed : whether the fixed effects stay as they are
        """
        each = self.inner.each(spread)

        def value(beta: np.ndarray, inner: np.ndarray) -> float:
            return self.log_likelihood(self.matrix @ beta + self.inner.of_rows(each * inner)) - inner @ inner / 2

        now = value(beta, inner)
        for _ in range(NEWTON_STEPS):
            mean, weight = self.expected(self.matrix @ beta + self.inner.of_rows(each * inner))
            solve, determinant = _factor(self.inner.cross(weight), each)
            slope = each * self.inner.sums(self.response - mean) - inner
            information, move, gain = None, np.zeros_like(beta), 0.0
            if fixed:
                step = solve(slope)
            else:
                mixed = each[:, None] * self.inner.sums(weight[:, None] * self.matrix)
                information = self.matrix.T @ (weight[:, None] * self.matrix) - mixed.T @ solve(mixed)
                ahead = self.matrix.T @ (self.response - mean)
                move = np.linalg.lstsq(information, ahead - mixed.T @ solve(slope), rcond=None)[0]
                step, gain = solve(slope - mixed @ move), ahead @ move
            if gain + slope @ step < SETTLED:
                return _Mode(beta, inner, determinant - 2 * now, information)
            size = 1.0
            while (then := value(beta + size * move, inner + size * step)) < now - SETTLED and size > 1e-4:
                size /= 2
            beta, inner, now = beta + size * move, inner + size * step, then
        raise NoEstimateError("the model did not converge; some effect may have no finite estimate (separation)")


def _hessian(
    criterion: Callable[[np.ndarray], float], place: np.ndarray, free: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Second derivatives by central differences, in units of the scale's steps, for the free parameters."""
    steps = np.zeros((len(free), len(place)))
    size = scale[free] * HESSIAN_STEP
    steps[np.arange(len(free)), free] = size
    middle = criterion(place)
    ends = np.array([[criterion(place + sign * step) for sign in (1, -1)] for step in steps])
    hessian = np.diag(ends.sum(axis=1) - 2 * middle)
    for i in range(len(free)):
        for j in range(i):
            both, neither = (criterion(place + sign * (steps[i] + steps[j])) for sign in (1, -1))
            hessian[i, j] = hessian[j, i] = (both + neither - ends[i].sum() - ends[j].sum() + 2 * middle) / 2
    return hessian / np.outer(size, size)

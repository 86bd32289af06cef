# The models of tests/compare/test_mixed.py by lme4 1.1.31, on made tables; writes coefficients.csv and variances.csv.
suppressMessages(library(lme4))
fits <- list(
  volume=lmer(log_volume ~ condition + depth_um + (1 | animal/dendrite), read.csv("volume.csv")),
  density=glmer(spines ~ condition + offset(log(length_um)) + (1 | animal/dendrite), read.csv("density.csv"), poisson),
  loss=glmer(cbind(lost, spines - lost) ~ condition * day + (1 | animal/dendrite), read.csv("loss.csv"), binomial),
  shape=glmer(mushroom ~ condition + (1 | animal), read.csv("shape.csv"), binomial))
coefficients <- do.call(rbind, lapply(names(fits), function(name) {
  found <- coef(summary(fits[[name]]))
  data.frame(case=name, term=rownames(found), estimate=found[, 1], standard_error=found[, 2])
}))
variances <- do.call(rbind, lapply(names(fits), function(name) {
  found <- as.data.frame(VarCorr(fits[[name]]))
  data.frame(case=name, unit=found$grp, variance=found$vcov)
}))
write.csv(coefficients, "coefficients.csv", row.names=FALSE)
write.csv(variances, "variances.csv", row.names=FALSE)
cat(as.character(packageVersion("lme4")), "\n")

"""The one table of limits that an estimate is held against. Without JAX, for figures need it too."""

# R-hat and ESS as Vehtari et al. (2021), Bayesian Analysis 16(2), who ask for R-hat < 1.01 and
# 100 effective draws a chain with four chains.
RHAT_MAX = 1.01
ESS_MIN = 400.0
RHAT_DISTANCE_MAX = 1.1  # of ‖w − w*‖²: while that grows λ̂ is of the region reached so far
# Of the tails of the same. Of 110 `ok` estimates of networks it was 120 at least; where one or two chains had been in
# another well once, 11 to 32, and the R-hat 1.02 to 1.07.
ESS_DISTANCE_MIN = 50.0
DRIFT_MAX = 3.0  # difference of the means of the two halves, in its standard errors
DRIFT_SETTLED = 2.0  # the same for sampling by rule to end: a descent as slow as the trace is long stays below 3
# Standard error by the means of parts of the chains, in that by autocorrelation, which seldom long stays escape. Of 432
# estimates of networks it was 1.29 at most; of 8 of 300 on x w1^a w2^b it was above, which were off by 2.2 of theirs.
SPREAD_MAX = 1.4
DIVERGENT_MAX = 0.01  # share of draws; on w1²w2² 5 % of them made `ok` estimates 13 % low
BIAS_MAX = 0.02  # share of λ̂ that the step size and the batches are predicted to add
CORRECTED_MAX = 0.04  # the same where it is subtracted: of a singular loss about half of that is too much
BELOW_MAX = 0.05  # share of draws whose loss is below L_n(w*)
DEFICIT_MAX = 0.05  # share of λ̂ that it lacks because w* is not the minimum within reach
UNSEEN_MAX = 0.1  # share of λ̂ by which nβ L_n may rise on the way to a draw, beyond what its gradient says
VIRIAL_ERRORS = 3.0  # of its standard errors that `virial` may be off 0,
VIRIAL_MAX = 0.02  # and beyond them a share of λ̂
REACH_MAX = 1.5  # γ‖w − w*‖²/d; what γ alone allows is 1
ROUNDED_MAX = 0.3  # unit in the last place of nβ L_n(w*), as a share of the draws' sd: at 1.4 λ̂ was 13 % low
OFFSET_MAX = 1.0  # standard errors that nβ L_n(w*) may be off by in the numbers of the draws
LATTICE_MAX = 0.05  # distance of neighbouring numbers at w*, of that of draws: at 0.3 λ̂ was right, at 1.1 11 % high
APART_MAX = 5.0  # standard errors of their difference that two ok estimates of one posterior may be apart
DEEPER_MAX = 10.0  # nats of nβ L_n + (γ/2)‖w − w*‖² that another sampler may be below w*, or below all that these draw
DEEPER_SPREAD = 4.0  # standard deviations of it besides: the lowest of more draws is lower
CI_WIDTH = 1.96  # half the 95 % interval, in standard errors
MCSE_TARGET = 0.02  # share of λ̂: sampling by rule goes on until the standard error is below it

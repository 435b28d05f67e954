/* Every output of detection scoring, as items of a JSON list. */
#ifndef EVALD_TESTS_OUTPUTS_H
#define EVALD_TESTS_OUTPUTS_H

#define EVERY_OUTPUT                                                 \
    "\"summary\",\"per_class\",\"per_image\",\"curves\","            \
    "\"operating_points\",\"confusion\",\"errors\",\"calibration\"," \
    "\"lrp\",\"slices\",\"intervals\",\"arrays\""

/* So that a test that asks often need not wait. */
#define FEW_RESAMPLES "\"intervals\":{\"resamples\":7}"

#endif

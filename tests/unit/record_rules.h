/* record_rules.h - every frequency that has an end, and how many days a record is good by it. */
#ifndef KK_TESTS_RECORD_RULES_H
#define KK_TESTS_RECORD_RULES_H

#include "cache/record.h"

static const struct {
    kk_validity_rule rule;
    double days;
} rules[] = {
    {{KK_DAILY, false}, 1}, {{KK_WEEKLY, false}, 7}, {{KK_MONTHLY, false}, 30},
    {{KK_DAILY, true}, 7},  {{KK_WEEKLY, true}, 14}, {{KK_MONTHLY, true}, 60},
};
enum { N_RULES = sizeof(rules) / sizeof(rules[0]) };

#endif

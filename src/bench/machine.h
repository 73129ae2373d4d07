/*
 * machine.h - what else the machine did while something was measured: load average, processor time
 * of others, free memory. From /proc; where it is not there, nothing is known.
 */
#ifndef KK_BENCH_MACHINE_H
#define KK_BENCH_MACHINE_H

#include <stddef.h>

/* Load average over a minute; -1: not known. */
double kk_load_average(void);

/* Memory that can be had without swapping, within the limit of the control group; 0: not known. */
double kk_available_mb(void);

typedef struct kk_machine_time {
    double wall_s;
    double busy_s; /* of all processors since the machine started; -1: not known */
    double own_s;  /* of this process and its children that have ended */
} kk_machine_time;

void kk_machine_time_read(kk_machine_time *out);

/* Processors that others kept busy between the two, on average; -1: not known. */
double kk_machine_others(const kk_machine_time *begin, const kk_machine_time *end);

/* The words of a report about a busy machine; "" in `text` when it was idle enough: less than half
 * a core was used by others. */
void kk_machine_busy_text(double others, double load_before, int n_cores, char *text, size_t size);

#endif

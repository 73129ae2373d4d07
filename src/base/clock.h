/*
 * clock.h - time that never runs backwards, in seconds, and the time of day.
 */
#ifndef KK_BASE_CLOCK_H
#define KK_BASE_CLOCK_H

/* Seconds since some moment in the past; for differences. */
double kk_now_s(void);
/* Seconds since 1970-01-01 UTC. */
double kk_wall_s(void);

#endif

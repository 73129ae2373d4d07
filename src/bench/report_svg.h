/*
 * report_svg.h - a plot as a self-contained SVG file: a card with its own background, dark where
 * the viewer's is, so that it can be read on both. Lengths are pixels, text is about 12 of them
 * high.
 */
#ifndef KK_BENCH_REPORT_SVG_H
#define KK_BENCH_REPORT_SVG_H

#include "base/str.h"

enum { KK_SVG_N_COLOURS = 8 };

/* A value axis: from 0 to at least the largest value, in steps of 1, 2 or 5 times a power of ten.
 */
typedef struct kk_svg_axis {
    double top, step;
    int n_steps;
    int n_decimals;  /* that its numbers need */
    double from, to; /* pixels of 0 and of `top` */
} kk_svg_axis;

/* An axis for values up to `max`, with about n_steps steps. */
kk_svg_axis kk_svg_axis_make(double max, int n_steps, double from, double to);
double kk_svg_place(const kk_svg_axis *axis, double value);

/* `title` stands at the top, `description` is for those who cannot see it. */
void kk_svg_begin(kk_buf *out, double width, double height, const char *title,
                  const char *description);
void kk_svg_end(kk_buf *out);

/* `style`: "label" (text), "strong", "faint"; `anchor`: "start", "middle", "end". */
void kk_svg_text(kk_buf *out, double x, double y, const char *anchor, const char *style,
                 const char *text);
void kk_svg_line(kk_buf *out, double x1, double y1, double x2, double y2, const char *style);
/* The colour of the n-th thing; from the ninth on they repeat. */
const char *kk_svg_colour(size_t number);
/* A bar in the colour of the n-th thing; `opacity` 0 to 1. */
void kk_svg_bar(kk_buf *out, double x, double y, double width, double height, size_t colour,
                double opacity);

#endif

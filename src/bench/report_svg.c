#include "bench/report_svg.h"

#include "bench/report_parts.h"

#include <math.h>
#include <stdio.h>

/* Colours of Okabe and Ito (2008), which the colour-blind tell apart, lightened or darkened until
 * each stands out from both backgrounds. */
static const char *const colours[KK_SVG_N_COLOURS] = {"#2f7fc1", "#d98a00", "#0a9a72", "#c2649c",
                                                      "#46a9dd", "#d4601a", "#8b7fd6", "#8a8f98"};

kk_svg_axis kk_svg_axis_make(double max, int n_steps, double from, double to)
{
    static const double rounds[] = {1.0, 2.0, 5.0, 10.0};
    kk_svg_axis axis = {.top = 1.0, .step = 1.0, .n_steps = 1, .from = from, .to = to};
    if (!(max > 1e-9 && max < 1e15)) /* nothing, or nothing that was measured */
        return axis;
    const double wanted = max / n_steps;
    const double power = pow(10.0, floor(log10(wanted)));
    size_t i = 0;
    while (i < 3 && rounds[i] * power < wanted * 0.999)
        i++;
    axis.step = rounds[i] * power;
    axis.n_steps = (int)ceil(max / axis.step - 1e-9);
    axis.top = axis.step * axis.n_steps;
    axis.n_decimals = axis.step >= 1.0 ? 0 : (int)ceil(-log10(axis.step) - 1e-9);
    return axis;
}

double kk_svg_place(const kk_svg_axis *axis, double value)
{
    return axis->from + (axis->to - axis->from) * value / axis->top;
}

void kk_svg_begin(kk_buf *out, double width, double height, const char *title,
                  const char *description)
{
    kk_buf_appendf(out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                   "viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"title desc\">\n",
                   width, height, width, height);
    kk_buf_append_str(out, "<title id=\"title\">");
    kk_append_xml(out, title);
    kk_buf_append_str(out, "</title>\n<desc id=\"desc\">");
    kk_append_xml(out, description);
    kk_buf_append_str(
        out, "</desc>\n<style>\n"
             "text { font: 12px system-ui, \"Segoe UI\", \"DejaVu Sans\", sans-serif; }\n"
             ".card { fill: #ffffff; stroke: #d5dae0; } .hollow { fill: #ffffff; }\n"
             ".label { fill: #30363d; } .strong { fill: #14181d; font-weight: 600; }\n"
             ".title { fill: #14181d; font-size: 15px; font-weight: 600; }\n"
             ".faint { fill: #5b6570; } .grid { stroke: #e4e8ec; } .axis { stroke: #8b949e; }\n"
             ".whisker { stroke: #14181d; stroke-width: 1.5; }\n"
             "@media (prefers-color-scheme: dark) {\n"
             ".card { fill: #12161c; stroke: #30363d; } .hollow { fill: #12161c; }\n"
             ".label { fill: #d0d7de; } .strong, .title { fill: #f0f3f6; }\n"
             ".faint { fill: #9aa4af; } .grid { stroke: #262c34; } .axis { stroke: #6e7681; }\n"
             ".whisker { stroke: #f0f3f6; }\n"
             "}\n</style>\n");
    kk_buf_appendf(out,
                   "<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"%.0f\" height=\"%.0f\" "
                   "rx=\"6\"/>\n",
                   width - 1.0, height - 1.0);
    kk_svg_text(out, 20.0, 30.0, "start", "title", title);
}

void kk_svg_end(kk_buf *out)
{
    kk_buf_append_str(out, "</svg>\n");
}

void kk_svg_text(kk_buf *out, double x, double y, const char *anchor, const char *style,
                 const char *text)
{
    kk_buf_appendf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", style, x, y,
                   anchor);
    kk_append_xml(out, text);
    kk_buf_append_str(out, "</text>\n");
}

void kk_svg_line(kk_buf *out, double x1, double y1, double x2, double y2, const char *style)
{
    kk_buf_appendf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                   style, x1, y1, x2, y2);
}

void kk_svg_bar(kk_buf *out, double x, double y, double width, double height, size_t colour,
                double opacity)
{
    kk_buf_appendf(out,
                   "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" "
                   "fill=\"%s\" fill-opacity=\"%.2f\"/>\n",
                   x, y, fmax(width, 1.0), height, kk_svg_colour(colour), opacity);
}

const char *kk_svg_colour(size_t number)
{
    return colours[number % KK_SVG_N_COLOURS];
}

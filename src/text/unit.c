/*
 * unit.c - units that stand behind a number: 5 km, 20 MB, 3%.
 */
#include "text/figures.h"

static const kk_unit units[] = {
    {"km", "kilometer", "kilometers", false},
    {"cm", "centimeter", "centimeters", false},
    {"mm", "millimeter", "millimeters", false},
    {"m", "meter", "meters", true},
    {"mi", "mile", "miles", false},
    {"ft", "foot", "feet", false},
    {"yd", "yard", "yards", false},
    {"kg", "kilogram", "kilograms", false},
    {"g", "gram", "grams", true},
    {"mg", "milligram", "milligrams", false},
    {"lb", "pound", "pounds", false},
    {"lbs", "pound", "pounds", false},
    {"oz", "ounce", "ounces", false},
    {"ml", "milliliter", "milliliters", false},
    {"l", "liter", "liters", true},
    {"L", "liter", "liters", true},
    {"mph", "mile per hour", "miles per hour", false},
    {"km/h", "kilometer per hour", "kilometers per hour", false},
    {"kph", "kilometer per hour", "kilometers per hour", false},
    {"ms", "millisecond", "milliseconds", false},
    {"s", "second", "seconds", true},
    {"sec", "second", "seconds", false},
    {"min", "minute", "minutes", false},
    {"h", "hour", "hours", true},
    {"hr", "hour", "hours", false},
    {"hrs", "hour", "hours", false},
    {"kB", "kilobyte", "kilobytes", false},
    {"KB", "kilobyte", "kilobytes", false},
    {"MB", "megabyte", "megabytes", false},
    {"GB", "gigabyte", "gigabytes", false},
    {"TB", "terabyte", "terabytes", false},
    {"Hz", "hertz", "hertz", false},
    {"kHz", "kilohertz", "kilohertz", false},
    {"MHz", "megahertz", "megahertz", false},
    {"GHz", "gigahertz", "gigahertz", false},
    {"W", "watt", "watts", true},
    {"kW", "kilowatt", "kilowatts", false},
    {"MW", "megawatt", "megawatts", false},
    {"mW", "milliwatt", "milliwatts", false},
    {"kWh", "kilowatt hour", "kilowatt hours", false},
    {"V", "volt", "volts", true},
    {"mV", "millivolt", "millivolts", false},
    {"kV", "kilovolt", "kilovolts", false},
    {"A", "amp", "amps", true},
    {"mA", "milliamp", "milliamps", false},
    {"dB", "decibel", "decibels", false},
    {"%", "percent", "percent", false},
    {"\xC2\xB0", "degree", "degrees", true},
    {"\xC2\xB0"
     "C",
     "degree Celsius", "degrees Celsius", false},
    {"\xC2\xB0"
     "F",
     "degree Fahrenheit", "degrees Fahrenheit", false},
    {"m2", "square meter", "square meters", false},
    {"km2", "square kilometer", "square kilometers", false},
    {"cm2", "square centimeter", "square centimeters", false},
    {"ft2", "square foot", "square feet", false},
    {"m3", "cubic meter", "cubic meters", false},
    {"cm3", "cubic centimeter", "cubic centimeters", false},
    {"m/s", "meter per second", "meters per second", false},
    {"\xC2\xA2", "cent", "cents", false},
};

const kk_unit *kk_unit_find(kk_slice text, bool is_attached)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (kk_slice_equal(text, kk_slice_of(units[i].written)) &&
            (is_attached || !units[i].attached_only))
            return &units[i];
    }
    return NULL;
}

# Compiler flags of every target, as one interface library.
include(CheckPIESupported)
check_pie_supported()

add_library(kk_flags INTERFACE)
target_compile_options(kk_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion -Wvla
    -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wnull-dereference -Wswitch-enum
    -ffp-contract=off
    $<$<BOOL:${KK_WERROR}>:-Werror>)
target_compile_definitions(kk_flags INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(kk_flags INTERFACE
    $<$<CONFIG:Release,RelWithDebInfo>:-fstack-protector-strong -D_FORTIFY_SOURCE=2>)
target_link_options(kk_flags INTERFACE
    $<$<CONFIG:Release,RelWithDebInfo>:-Wl,-z,relro,-z,now,-z,noexecstack>)
if(KK_SANITIZE)
    target_compile_options(kk_flags INTERFACE -fsanitize=${KK_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(kk_flags INTERFACE -fsanitize=${KK_SANITIZE})
endif()

# kk_embed(target file name): the bytes of a file as `const char name[]` and `const size_t name_len`, compiled into the
# target. Written when the file changes; declared in the header of whoever uses it.
function(kk_embed target file name)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1, " bytes "${bytes}")
    set(text "#include \"server/api/embedded.h\"\n\nconst char ${name}[] = {${bytes}0};\n")
    string(APPEND text "const size_t ${name}_len = sizeof(${name}) - 1;\n")
    file(CONFIGURE OUTPUT ${name}.c CONTENT "${text}" @ONLY)
    target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
endfunction()

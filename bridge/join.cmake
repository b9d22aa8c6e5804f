# Makes OUT of FRAME, with the files of PARTS (a list), without their comments, in the place that it says.
execute_process(COMMAND sed -f "${CMAKE_CURRENT_LIST_DIR}/strip.sed" ${PARTS}
    OUTPUT_VARIABLE joined COMMAND_ERROR_IS_FATAL ANY)
file(READ "${FRAME}" frame)
string(REPLACE "/* HERE THE PARTS */\n" "${joined}" whole "${frame}")
file(WRITE "${OUT}" "${whole}")

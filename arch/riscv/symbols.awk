# SPDX-License-Identifier: BSD-2-Clause
# Turns `nm -n` of the kernel into the symbol table that arch/riscv/symbols.c reads: functions only, by
# ascending address, one name for each address.

# GNU and POSIX awk alike: no strtonum(), and all addresses share their upper half.
function low_half(hex,    i, value) {
	hex = substr(hex, length(hex) - 7)
	for (i = 1; i <= 8; i++)
		value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return value
}

BEGIN { nr = 0 }
$3 == "_start" { start = low_half($1) }
$3 == "__text_end" { text_end = low_half($1) }
$2 ~ /^[Tt]$/ && $3 !~ /^(\.L|\$|__text_end|trap_entry_end)/ && $1 != last {
	last = $1
	offset[nr] = low_half($1)
	name[nr++] = $3
}

END {
	print ".section .symbols, \"a\""
	printf ".4byte %d, %d\n", nr, text_end - start
	for (i = 0; i < nr; i++) {
		step = offset[i] - (i ? offset[i - 1] : start)
		if (step > 131070 || step % 2)
			print ".error \"" name[i] ": its distance does not fit the table in arch/riscv/symbols.c\""
		printf ".2byte %d\n", step / 2
	}
	for (i = 0; i < nr; i++) {
		if (length(name[i]) > 254)
			print ".error \"" name[i] ": the name does not fit the table in arch/riscv/symbols.c\""
		printf ".byte %d\n", length(name[i]) + 1
	}
	for (i = 0; i < nr; i++)
		printf ".asciz \"%s\"\n", name[i]
}

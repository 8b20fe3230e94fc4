/* SPDX-License-Identifier: BSD-2-Clause */
/* printf formatting, integers and strings only. */

#include "lib/format.h"
#include "lib/string.h"

struct output {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, stored or not */
};

static void emit(struct output *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void emit_repeated(struct output *o, char c, int n)
{
	while (n-- > 0)
		emit(o, c);
}

struct spec {
	bool left, zero, plus, space, alternate;
	int width;
	int precision; /* -1: none given */
	int length;    /* in bytes of the argument */
	char conversion;
};

static const char *parse_number(const char *p, int *n, va_list *ap)
{
	if (*p == '*') {
		*n = va_arg(*ap, int);
		return p + 1;
	}
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		if (*n < 100000)
			*n = *n * 10 + (*p - '0');
	return p;
}

static const char *parse_spec(const char *p, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .precision = -1, .length = 4 };
	for (;; p++) {
		if (*p == '-')
			s->left = true;
		else if (*p == '0')
			s->zero = true;
		else if (*p == '+')
			s->plus = true;
		else if (*p == ' ')
			s->space = true;
		else if (*p == '#')
			s->alternate = true;
		else
			break;
	}
	p = parse_number(p, &s->width, ap);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (*p == '.')
		p = parse_number(p + 1, &s->precision, ap);
	for (;; p++) {
		if (*p == 'h')
			s->length = s->length == 2 ? 1 : 2;
		else if (*p == 'l' || *p == 'z' || *p == 't' || *p == 'j')
			s->length = 8;
		else
			break;
	}
	s->conversion = *p;
	return *p ? p + 1 : p;
}

static void emit_padded(
	struct output *o, const struct spec *s, const char *prefix, const char *body, int n)
{
	int prefix_len = strlen(prefix);
	int zeros = s->precision > n ? s->precision - n : 0;
	int pad = s->width - prefix_len - zeros - n;

	if (s->zero && !s->left && s->precision < 0 && pad > 0) {
		zeros = pad;
		pad = 0;
	}
	if (!s->left)
		emit_repeated(o, ' ', pad);
	while (*prefix)
		emit(o, *prefix++);
	emit_repeated(o, '0', zeros);
	while (n-- > 0)
		emit(o, *body++);
	if (s->left)
		emit_repeated(o, ' ', pad);
}

static void emit_integer(struct output *o, const struct spec *s, uint64_t v, bool negative)
{
	const char *digits = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned base = 10;
	const char *prefix = "";
	char buf[24];
	int n = 0;

	if (s->conversion == 'x' || s->conversion == 'X' || s->conversion == 'p')
		base = 16;
	else if (s->conversion == 'o')
		base = 8;
	if (negative)
		prefix = "-";
	else if (s->plus)
		prefix = "+";
	else if (s->space)
		prefix = " ";
	else if ((s->alternate && base == 16 && v) || s->conversion == 'p')
		prefix = s->conversion == 'X' ? "0X" : "0x";
	else if (s->alternate && base == 8)
		prefix = "0";
	while (v || (n == 0 && s->precision != 0)) {
		buf[sizeof(buf) - ++n] = digits[v % base];
		v /= base;
	}
	emit_padded(o, s, prefix, buf + sizeof(buf) - n, n);
}

static uint64_t unsigned_argument(const struct spec *s, va_list *ap)
{
	if (s->length == 8)
		return va_arg(*ap, uint64_t);
	if (s->length == 2)
		return (uint16_t)va_arg(*ap, int);
	if (s->length == 1)
		return (uint8_t)va_arg(*ap, int);
	return va_arg(*ap, uint32_t);
}

static int64_t signed_argument(const struct spec *s, va_list *ap)
{
	if (s->length == 8)
		return va_arg(*ap, int64_t);
	if (s->length == 2)
		return (int16_t)va_arg(*ap, int);
	if (s->length == 1)
		return (int8_t)va_arg(*ap, int);
	return va_arg(*ap, int32_t);
}

static void emit_conversion(struct output *o, struct spec *s, va_list *ap)
{
	switch (s->conversion) {
	case 'd':
	case 'i': {
		int64_t v = signed_argument(s, ap);

		emit_integer(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0);
		break;
	}
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		s->plus = s->space = false;
		emit_integer(o, s, unsigned_argument(s, ap), false);
		break;
	case 'p':
		s->plus = s->space = false;
		emit_integer(o, s, (uintptr_t)va_arg(*ap, void *), false);
		break;
	case 'c': {
		char c = va_arg(*ap, int);

		s->precision = -1;
		s->zero = false;
		emit_padded(o, s, "", &c, 1);
		break;
	}
	case 's': {
		const char *text = va_arg(*ap, const char *);
		int n;

		if (!text)
			text = "(null)";
		n = s->precision >= 0 ? strnlen(text, s->precision) : strlen(text);
		s->precision = -1;
		s->zero = false;
		emit_padded(o, s, "", text, n);
		break;
	}
	case '%': emit(o, '%'); break;
	default: /* unknown: show it rather than guess its argument */
		emit(o, '%');
		if (s->conversion)
			emit(o, s->conversion);
	}
}

int format_va(char *buf, size_t size, const char *fmt, va_list args)
{
	struct output o = { .buf = buf, .size = size };
	struct spec s;
	va_list ap;

	va_copy(ap, args);
	while (*fmt) {
		if (*fmt != '%') {
			emit(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s, &ap);
		emit_conversion(&o, &s, &ap);
	}
	va_end(ap);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return o.len;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_va(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
